/** Bytes as lower-case hexadecimal text with 0x in front. */
export type Hex = `0x${string}`

const DIGITS = '0123456789abcdef'

/** Writes bytes as `0x…`. */
export function toHex(bytes: Uint8Array): Hex {
  if (typeof Buffer !== 'undefined') {
    return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`
  }
  let text = ''
  for (const byte of bytes) text += DIGITS[byte >> 4]! + DIGITS[byte & 15]!
  return `0x${text}`
}

/** Value of each hexadecimal digit by its character code, 255 for all others. */
const VALUES = new Uint8Array(128).fill(255)
for (let digit = 0; digit < 16; digit++) {
  VALUES[DIGITS.charCodeAt(digit)] = digit
  VALUES[DIGITS.toUpperCase().charCodeAt(digit)] = digit
}

/** Reads `0x…`; throws a RangeError where the text is not whole bytes of hexadecimal digits. */
export function fromHex(hex: string): Uint8Array {
  if (!hex.startsWith('0x') || hex.length % 2 !== 0) throw new RangeError('not hexadecimal bytes')
  const bytes = new Uint8Array((hex.length - 2) / 2)
  for (let i = 0, at = 2; i < bytes.length; i++, at += 2) {
    const high = VALUES[hex.charCodeAt(at)] ?? 255
    const low = VALUES[hex.charCodeAt(at + 1)] ?? 255
    if (high > 15 || low > 15) throw new RangeError('not hexadecimal bytes')
    bytes[i] = (high << 4) | low
  }
  return bytes
}

/** True for `0x` and `size` bytes. */
export function isHex(value: unknown, size: number): value is Hex {
  return typeof value === 'string' && value.length === 2 + 2 * size && /^0x[0-9a-fA-F]*$/.test(value)
}

/** A wallet's address, written in any case, in lower case; undefined for everything else. */
export function parseAddress(value: unknown): Hex | undefined {
  return typeof value === 'string' && /^0x[0-9a-f]{40}$/i.test(value) ? (value.toLowerCase() as Hex) : undefined
}

/** 32 zero bytes: "none" wherever a hash is expected. */
export const ZERO_HASH: Hex = `0x${'00'.repeat(32)}`
export const ZERO_ADDRESS: Hex = `0x${'00'.repeat(20)}`
