"""Unpacks parts of a wheel: WHEEL FOLDER {FROM TO}...

FROM is a file of the wheel, or, ending in "/", a folder of it; TO is where it goes below FOLDER.
Ends with an error if a FROM is not in the wheel. Checksums are checked while reading.
"""

import pathlib
import shutil
import sys
import zipfile

wheel, folder, *parts = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for source, target in zip(parts[::2], parts[1::2]):
        if source.endswith("/"):
            names = [name for name in archive.namelist() if name.startswith(source) and not name.endswith("/")]
        else:
            names = [name for name in archive.namelist() if name == source]
        if not names:
            sys.exit(f"error: {wheel} has no {source}")
        for name in names:
            if ".." in name.split("/"):
                sys.exit(f"error: {wheel} has a name that leaves its folder: {name}")
            path = pathlib.Path(folder, target + name[len(source):])
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as packed, open(path, "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 1 << 20)
