"""One scene, three files: PDF, DXF, PNG."""
