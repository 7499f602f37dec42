"""Run a ScriptModule step by step, so that its modules are seen."""
