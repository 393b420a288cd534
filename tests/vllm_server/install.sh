#!/usr/bin/env bash
# Puts vLLM's CPU server into a virtual environment of its own, which exists: install.sh FOLDER
set -euo pipefail
here=$(dirname "$0") python=$1/bin/python
"$python" -m pip install --quiet --no-deps -r "$here/requirements.txt"
# PyPI's torchvision is built for CUDA; the one of PyTorch's own index works as it is.
if ! "$python" -c "import torchvision" 2>/dev/null; then
    packages=$("$python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
    cp "$here/torchvision_schemas.py" "$packages"
    # A .pth file is read by every process that starts; vLLM inspects models in such ones.
    echo "import torchvision_schemas" >"$packages/torchvision_schemas.pth"
    "$python" -c "import torchvision"
fi
