"""Teachers, each named by class_path, that score what the policy sampled."""

from reasonrft.teachers.base import Teacher
from reasonrft.teachers.policy_teacher import PolicyTeacher
from reasonrft.teachers.server_teacher import ServerTeacher

__all__ = ["PolicyTeacher", "ServerTeacher", "Teacher"]
