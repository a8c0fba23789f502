"""The search for better settings of the stage `train`: many short-lived trainings, one winner."""
