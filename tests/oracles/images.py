"""Convolutions, poolings and resampling of images `[n, h, w, c]` in float64, window by window."""

import numpy as np


def windows(x, kernel, stride, padding, dilation=(1, 1), fill=0.0, count=None):
    """`[n, oh, ow, taps, c]`: what each window of padded `x` sees, taps row by row. `count`: windows per direction, if not all."""
    (top, bottom), (left, right) = padding
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    height, width = x.shape[1] + top + bottom, x.shape[2] + left + right
    rows, columns = count or ((height - reach[0]) // stride[0] + 1, (width - reach[1]) // stride[1] + 1)
    room = (max(height, (rows - 1) * stride[0] + reach[0]), max(width, (columns - 1) * stride[1] + reach[1]))
    padded = np.full((x.shape[0], *room, x.shape[3]), fill)
    padded[:, top : top + x.shape[1], left : left + x.shape[2]] = x
    out = np.empty((x.shape[0], rows, columns, kernel[0] * kernel[1], x.shape[3]))
    for i in range(rows):
        for j in range(columns):
            y, z = i * stride[0], j * stride[1]
            seen = padded[:, y : y + reach[0] : dilation[0], z : z + reach[1] : dilation[1]]
            out[:, i, j] = seen.reshape(x.shape[0], -1, x.shape[3])
    return out


def conv2d(x, weights, stride, padding, dilation, groups=1, product=np.matmul):
    """`x` with `weights` `[out, in / groups, kh, kw]`; `product` multiplies patches by a matrix."""
    outputs, inputs, *kernel = weights.shape
    seen = windows(x, kernel, stride, padding, dilation)
    results = []
    for group in range(groups):
        patches = seen[..., group * inputs : (group + 1) * inputs].reshape(*seen.shape[:3], -1)
        part = weights[group * (outputs // groups) : (group + 1) * (outputs // groups)]
        results.append(product(patches, part.transpose(2, 3, 1, 0).reshape(-1, outputs // groups)))
    return np.concatenate(results, -1)


def conv_transpose2d(x, weights, stride, padding, output_padding, dilation, groups=1):
    """`x` with `weights` `[in, out / groups, kh, kw]`: every pixel spreads over the output."""
    n, height, width, inputs = x.shape
    _, outputs, rows, columns = weights.shape
    (top, bottom), (left, right) = padding
    size = [
        (extent - 1) * stride[i] + dilation[i] * (taps - 1) + 1 + output_padding[i]
        for i, (extent, taps) in enumerate(((height, rows), (width, columns)))
    ]
    y = np.zeros((n, *size, outputs * groups))
    for group in range(groups):
        own = slice(group * inputs // groups, (group + 1) * inputs // groups)
        target = slice(group * outputs, (group + 1) * outputs)
        for i, j in np.ndindex(height, width):
            for a, b in np.ndindex(rows, columns):
                place = (slice(None), i * stride[0] + a * dilation[0], j * stride[1] + b * dilation[1], target)
                y[place] += x[:, i, j, own] @ weights[own, :, a, b]
    return y[:, top : size[0] - bottom, left : size[1] - right]


def interpolate(x, row, column, fill=0.0):
    """`x[n, row, column]` between four pixels for float64 places `[n, ...]`; `fill` outside."""
    n, height, width, channels = x.shape
    out = np.empty((*row.shape, channels))
    for index in np.ndindex(row.shape):
        top, left = int(np.floor(row[index])), int(np.floor(column[index]))
        total = np.zeros(channels)
        for i in (top, top + 1):
            for j in (left, left + 1):
                inside = 0 <= i < height and 0 <= j < width
                weight = (1 - abs(row[index] - i)) * (1 - abs(column[index] - j))
                total += weight * (x[index[0], i, j] if inside else fill)
        out[index] = total
    return out
