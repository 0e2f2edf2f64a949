"""Networks: RTK, ASFormer, MS-TCN++ and BCN, one file each, and the layers that they are made of."""
