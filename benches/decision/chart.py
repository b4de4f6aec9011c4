"""Curves in SVG, without a library: instructions of a decision, over the logarithm of how many routes or marks there are."""

from html import escape
from math import log10

COLOURS = ("#ea580c", "#2563eb")
LEFT, TOP, WIDTH, HEIGHT = 70, 40, 600, 240


def curves(lines):
    counts = [count for _, found in lines for count, _ in found.values()]
    # From zero: a curve that is flat is to look flat.
    most = max(counts) * 1.25
    decades = max(log10(number) for _, found in lines for number in found if number)

    def x(number):
        # None at all stands where one would.
        return LEFT + WIDTH * (log10(number) if number else 0) / decades

    def y(count):
        return TOP + HEIGHT * (1 - count / most)

    drawn = [f'<path d="M{LEFT} {TOP}V{TOP + HEIGHT}H{LEFT + WIDTH}" fill="none" stroke="#475569"/>']
    for power in range(round(decades) + 1):
        label = f"{10**power:,}" if power else "0 or 1"
        drawn.append(f'<text x="{x(10**power):.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{label}</text>')
    for share in (0, 0.25, 0.5, 0.75, 1):
        at = y(most * share)
        drawn.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{most * share:,.0f}</text>')
    for (name, found), colour, at in zip(lines, COLOURS, range(len(lines)), strict=True):
        points = [(x(number), y(count)) for number, (count, _) in found.items()]
        drawn.append(f'<polyline points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        drawn.append(f'<text x="{LEFT + 20 + at * 90}" y="{TOP - 12}" fill="{colour}">{escape(name)}</text>')
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 50} {TOP + HEIGHT + 50}" font-family="sans-serif" font-size="11">'
        f'<title>Instructions of a decision</title><rect width="100%" height="100%" fill="white"/>'
    )
    foot = f'<text x="{LEFT}" y="{TOP + HEIGHT + 38}">instructions of a decision, by how many routes or marks there are</text></svg>'
    return "\n".join([head, *drawn, foot]) + "\n"
