"""Verifying: is an audit what its scan wrote, and do its report and its tables agree?"""
