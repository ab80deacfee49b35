"""overlap: do differently trained image models learn different things?"""

__version__ = '0.1.0'
