# %% [markdown]
# # A notebook that hangs, with a child of its own

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work
seconds: float = 600.0  # 0..: how long
note: str = ""  # where to write the child's process id

# %%
import subprocess
from pathlib import Path

child = subprocess.Popen(["sleep", str(seconds)])
if note:
    Path(note).write_text(str(child.pid))
child.wait()
