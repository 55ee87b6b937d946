"""The peer's side of the ingest benchmark: img2dataset on the same URLs, in processes of its own.

argv: URL list, output folder, threads. Prints its cost as a line of JSON; CPU and memory are those of all
processes that it started.
"""

import json
import pathlib
import resource
import subprocess
import sys
import time

urls, folder, threads = sys.argv[1:]
program = f"""
if __name__ == "__main__":
    from img2dataset import download
    download(url_list={urls!r}, output_folder={folder!r}, thread_count={int(threads)}, processes_count=1,
             output_format="webdataset", image_size=256)
"""
script = pathlib.Path(folder).with_suffix(".py")
script.write_text(program)
started = time.perf_counter()
subprocess.run([sys.executable, str(script)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
seconds = time.perf_counter() - started
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
stats = [json.loads(path.read_text()) for path in pathlib.Path(folder).glob("*_stats.json")]
print(
    json.dumps(
        {
            "images": sum(one["successes"] for one in stats),
            "seconds": seconds,
            "cpuSeconds": usage.ru_utime + usage.ru_stime,
            "peakMb": usage.ru_maxrss / 1024,
        }
    )
)
