<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.28.0" styleCategories="Symbology">
  <renderer-v2 type="categorizedSymbol" attr="{{ style.column }}" symbollevels="0" enableorderby="0" forceraster="0">
    <categories>
      {%- for category in style.categories %}
      <category symbol="{{ loop.index0 }}" value="{{ category.value }}" label="{{ category.label }}" render="true"/>
      {%- endfor %}
    </categories>
    <symbols>
      {%- for category in style.categories %}
      <symbol name="{{ loop.index0 }}" type="fill" alpha="1" clip_to_extent="1" force_rhr="0">
        <layer class="SimpleFill" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="color" type="QString" value="{{ category.red }},{{ category.green }},{{ category.blue }},{{ style.fill_alpha }}"/>
            <Option name="outline_color" type="QString" value="{{ category.red }},{{ category.green }},{{ category.blue }},255"/>
            <Option name="outline_style" type="QString" value="solid"/>
            <Option name="outline_width" type="QString" value="0.46"/>
            <Option name="outline_width_unit" type="QString" value="MM"/>
            <Option name="style" type="QString" value="{{ 'solid' if style.fill_alpha else 'no' }}"/>
          </Option>
          <prop k="color" v="{{ category.red }},{{ category.green }},{{ category.blue }},{{ style.fill_alpha }}"/>
          <prop k="outline_color" v="{{ category.red }},{{ category.green }},{{ category.blue }},255"/>
          <prop k="outline_style" v="solid"/>
          <prop k="outline_width" v="0.46"/>
          <prop k="outline_width_unit" v="MM"/>
          <prop k="style" v="{{ 'solid' if style.fill_alpha else 'no' }}"/>
        </layer>
      </symbol>
      {%- endfor %}
    </symbols>
  </renderer-v2>
  <layerGeometryType>2</layerGeometryType>
</qgis>
