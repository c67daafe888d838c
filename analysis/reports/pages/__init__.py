"""Pages for a browser: cards in one frame, each page one self-contained HTML file that needs no network.

`card` and `page` are shared; a folder per kind of page holds its facts and, one file each, the analyses that it shows.
"""
