"use strict";
// From a part's text to numbers, and from a model's output to aligned depth: as scopedepth.report.frames.pack,
// evaluation.resample and evaluation.kernels do it.

const HALVES = (() => {
  const table = new Float64Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    table[bits] = sign * (exponent === 31 ? (fraction ? NaN : Infinity)
      : exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
  }
  return table;
})();

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// A map: {height, width, values}.
async function unpacked(content) {
  const [height, width] = content.size, count = height * width, raw = await inflated(content.data);
  const bits = new Uint16Array(count), values = new Float32Array(count), factor = 2 ** -content.power;
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      const folded = (raw[at] << 8) | raw[count + at];
      const left = column ? bits[at - 1] : 0, up = row ? bits[at - width] : 0;
      const corner = row && column ? bits[at - width - 1] : 0;
      bits[at] = ((folded >> 1) ^ -(folded & 1)) + left + up - corner;
      values[at] = HALVES[bits[at]] * factor;
    }
  }
  return { height, width, values };
}

async function unpackedMask(text, count) {
  const bytes = await inflated(text), mask = new Uint8Array(count);
  for (let at = 0; at < count; at++) mask[at] = (bytes[at >> 3] >> (7 - (at & 7))) & 1;
  return mask;
}

// For each target position the two source positions and the weight of the second.
function taps(size, wanted, nearest, corners) {
  const low = new Int32Array(wanted), high = new Int32Array(wanted), weight = new Float64Array(wanted);
  for (let i = 0; i < wanted; i++) {
    let position = corners ? (wanted > 1 ? i * ((size - 1) / (wanted - 1)) : 0) : (i + 0.5) * (size / wanted) - 0.5;
    if (nearest) {
      low[i] = high[i] = Math.min(Math.max(Math.floor(position + 0.5), 0), size - 1);
      continue;
    }
    position = Math.min(Math.max(position, 0), size - 1);
    low[i] = Math.floor(position);
    weight[i] = position - low[i];
    high[i] = weight[i] === 0 ? low[i] : Math.min(low[i] + 1, size - 1);
  }
  return { low, high, weight };
}

function resampled(map, height, width, nearest, corners) {
  const rows = taps(map.height, height, nearest, corners), columns = taps(map.width, width, nearest, corners);
  const out = new Float32Array(height * width), line = new Float64Array(map.width), { values } = map;
  const blend = (weight, a, b) => (weight ? (1 - weight) * a + weight * b : a);
  for (let r = 0, at = 0; r < height; r++) {
    const upper = rows.low[r] * map.width, lower = rows.high[r] * map.width;
    for (let c = 0; c < map.width; c++) line[c] = blend(rows.weight[r], values[upper + c], values[lower + c]);
    for (let c = 0; c < width; c++, at++) out[at] = blend(columns.weight[c], line[columns.low[c]], line[columns.high[c]]);
  }
  return out;
}

// The output on the reference's grid, in its own space.
function onGrid(map, height, width, how) {
  let { values } = map;
  const inverse = (of, added) => of.map(value => 1 / (value + added));
  if (how.inverse) values = inverse(how.turned ? inverse(values, 0) : values, how.added);
  if (map.height !== height || map.width !== width) {
    values = resampled({ ...map, values }, height, width, how.nearest, how.corners);
  }
  return how.inverse && !how.turned ? inverse(values, how.added) : values;
}

// Limits of null are none: least ones -Infinity, greatest ones Infinity.
function depthOf(how, fit) {
  const [unit, low0, high0, flip, added, log, negative] = how.source, low = low0 ?? -Infinity, high = high0 ?? Infinity;
  const [scale, shift] = fit, limits = fit.length > 2 ? fit.slice(2) : how.limits.slice(1), space = how.limits[0];
  const floor = limits[0] ?? -Infinity, nearest = limits[1] ?? -Infinity, farthest = limits[2] ?? Infinity;
  return output => {
    if (!Number.isFinite(output)) return NaN;
    let value = Math.min(Math.max(output * unit, low), high);
    if (flip) value = 1 / ((negative ? value : Math.max(value, 0)) + added);
    if (log) value = Math.log(Math.max(value, 1e-300));
    value = scale * value + shift;
    if (space === 1) value = 1 / Math.max(value, floor);
    if (space === 2) value = Math.exp(value);
    return Math.min(Math.max(value, nearest), farthest);
  };
}
