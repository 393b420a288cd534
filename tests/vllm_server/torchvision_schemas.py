"""Lets torchvision's Python part be imported where its compiled operators do not load.

It declares the two operators that torchvision looks for; whoever calls one gets an error. The image
processors of transformers call neither.
"""

from torch.library import Library

LIBRARY = Library("torchvision", "DEF")  # what it declares is undone when it is collected
LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
