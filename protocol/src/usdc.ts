/** USDC has 6 decimals. */
const UNIT = 1_000_000n

/** Reads an amount such as `0.001` as atomic USDC; undefined where it is no such amount. */
export function parseUsdc(text: string): bigint | undefined {
  const match = /^(0|[1-9][0-9]{0,20})(?:\.([0-9]{1,6}))?$/.exec(text.trim())
  if (!match) return undefined
  return BigInt(match[1]!) * UNIT + BigInt((match[2] ?? '').padEnd(6, '0'))
}

/** Writes atomic USDC as a plain amount: 1000n is `0.001`. */
export function formatUsdc(atomic: bigint): string {
  const sign = atomic < 0n ? '-' : ''
  const value = atomic < 0n ? -atomic : atomic
  const fraction = String(value % UNIT)
    .padStart(6, '0')
    .replace(/0+$/, '')
  return `${sign}${value / UNIT}${fraction && `.${fraction}`}`
}
