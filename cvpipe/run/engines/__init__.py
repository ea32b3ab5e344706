"""Where the pairs of a run are assessed: in this process, or by the workers of a Ray cluster.

work        what becomes of a pair: read ahead, assess, answer or reason; the same wherever it runs
local       in this process
posts       how many workers a cluster has room for, and what each of them needs
cluster     reaching a Ray cluster, or starting one of this machine
worker      a process of the cluster that holds a network and answers pairs
crew        the workers of a run: started, greeted, lost and replaced
ray_engine  pairs handed out to them, a bounded number at a time, and handed out again where a worker is lost
joining     from the local engine to one on a cluster

Only `crew` and `ray_engine` import Ray. The ledger is written by the run alone (`cvpipe.run.job`), whatever the engine.
"""

from cvpipe.run.engines.joining import on_cluster
from cvpipe.run.engines.local import LocalEngine
from cvpipe.run.engines.posts import RayOptions
from cvpipe.run.engines.work import Answer, Engine, Terms

__all__ = ["Answer", "Engine", "LocalEngine", "RayOptions", "Terms", "on_cluster"]
