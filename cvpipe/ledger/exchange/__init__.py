"""Files of sites, in and out.

In: from a file to raw rows, from raw rows to sites.

    opening      which reader a file needs
      documents    GeoJSON                        delimited   CSV        workbooks   XLSX
      layers       GeoPackage, Shapefile (GDAL)   kml         KML, KMZ
    archives     zip files, looked at before they unfold
    headed       the rows under a row of headings
    headings     which field a column is, in which unit
    persons      data about persons, told by what cells hold
    cells        a cell as a value
    places       many geometries at once into WGS 84
    reading      the way in as a whole
      meanings     what columns are taken for       impersonal  columns and cells about persons left out or refused
      rows         rows as sites: taken, or refused with a reason
    sites_file   what is known of a file once it is read

Out: from the ledger's values to one table, from the table to a file.

    site_tables  sites, changes, surfaces as tables     tables    what a table is
    writing      by suffix, under a temporary name      writers/  one module for each family of formats
    exporting    what other rooms call
"""
