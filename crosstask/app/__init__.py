"""A page to try a trained network on one's own pictures, in Gradio."""
