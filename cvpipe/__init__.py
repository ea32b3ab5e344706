"""cvpipe watches remediation sites from above.

ledger + scenes → aligned pairs → surfaces and changes → verdicts → ledger, and people on both ends:

    errors, domain, geo, settings   the words and values that all rooms share
    life      a site's life         which status may follow which
    ledger    what we know          sites, scenes, runs, assessments, changes, audit trail; the only SQL
    imagery   what we see           read, warp, align, judge quality, cut chips
    network   what decides          architecture, losses, bundle
    detect    pixels → changes      tiles, prediction, stitching, polygons
    assess    changes → verdicts    pure rules
    train     labels → bundle       data sets, simulated change, the loop, metrics, evaluation
    world     a drawn district      whose truth is known
    run       the job               planning, assessing, writing back, top to bottom
    report    people read           summary and sites, before | after
    cli       commands              registered in pipeline order

Imports point one way: cli → run, report, train → detect, assess, world → ledger, imagery, network → life →
domain, geo, settings → errors.
"""

__version__ = "0.1.0"
