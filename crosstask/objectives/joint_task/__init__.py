"""Joint-task regularisation (Nishi et al., CVPR 2024)."""

from crosstask.objectives.joint_task.joint_task import JointTask

__all__ = ["JointTask"]
