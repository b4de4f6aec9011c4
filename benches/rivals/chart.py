"""A bar chart in SVG, without a library: a group of bars for each mode, one for each peer."""

from html import escape

COLOURS = {
    "floor": "#94a3b8", "stock": "#cbd5e1", "nginx": "#16a34a", "haproxy": "#2563eb", "envoy": "#a855f7",
    "envoy-cache": "#d8b4fe", "doorward": "#ea580c", "fastapi": "#facc15",
}  # fmt: skip
BAR, GAP, LEFT, WIDTH = 13, 14, 120, 620


def bars(figures, modes, peers):
    """Longest bars are cut, with their figure beside them: FastAPI would press the rest together."""
    shown = [mode for mode in modes if not mode.login]
    values = [figures.of(peer, mode.name) for mode in shown for peer in peers if peer != "fastapi"]
    most = max(value for value in values if value is not None)
    lines, top = [], 40
    for at, peer in enumerate(peers):
        lines.append(f'<rect x="{LEFT + at * 90}" y="10" width="10" height="10" fill="{COLOURS[peer]}"/>')
        lines.append(f'<text x="{LEFT + at * 90 + 14}" y="19">{escape(peer)}</text>')
    for mode in shown:
        lines.append(f'<text x="{LEFT - 8}" y="{top + 10}" text-anchor="end" font-weight="bold">{escape(mode.name)}</text>')
        for peer in peers:
            value = figures.of(peer, mode.name)
            if value is None:
                continue
            width = min(1.0, value / most) * WIDTH
            lines.append(f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR - 2}" fill="{COLOURS[peer]}"/>')
            lines.append(f'<text x="{LEFT + width + 4:.1f}" y="{top + 10}">{value:.0f}</text>')
            top += BAR
        top += GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 60} {top + 20}" font-family="sans-serif" font-size="11">'
        f'<title>CPU µs per request</title><rect width="100%" height="100%" fill="white"/>'
    )
    foot = f'<text x="{LEFT}" y="{top + 8}">CPU µs per request; shorter is better</text></svg>'
    return "\n".join([head, *lines, foot]) + "\n"
