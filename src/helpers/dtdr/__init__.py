"""stub face"""
