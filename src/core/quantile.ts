// Figures over a list of numbers, as the reports give them.

/**
 * The value below which a share of the values lies, between neighbours in proportion.
 *
 * @param share [0, 1]; 0.5 for the median
 * @returns NaN without values
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)] ?? NaN
  const high = sorted[Math.ceil(at)] ?? NaN
  return low + (high - low) * (at - Math.floor(at))
}

/** NaN without values. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}
