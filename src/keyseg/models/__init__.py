"""Networks: layers, attention, backbone, keypoint head, refinement, RTK."""
