"""Solvers of convex problems: `solve(problem, monitor) -> coefficients`. One file per algorithm.

A solver only translates: the problem owns scaling, objective and certificate, the monitor owns the clock and the
stopping rule. One that cannot do a problem raises `errors.Skip` with the reason.
"""
