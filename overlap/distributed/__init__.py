"""Several devices and several processes: meshes, barriers, gathers."""
