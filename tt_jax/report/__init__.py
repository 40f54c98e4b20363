"""What people look at: tables and pictures of plans, and reports for ttnn-visualizer."""
