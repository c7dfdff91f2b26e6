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

/** Reads `0x…`; throws a RangeError where the text is not whole bytes of hexadecimal digits. */
export function fromHex(hex: string): Uint8Array {
  if (!/^0x(?:[0-9a-fA-F]{2})*$/.test(hex)) throw new RangeError('not hexadecimal bytes')
  const bytes = new Uint8Array((hex.length - 2) / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 + 2 * i, 4 + 2 * i), 16)
  return bytes
}

/** True for `0x` and `size` bytes. */
export function isHex(value: unknown, size: number): value is Hex {
  return typeof value === 'string' && value.length === 2 + 2 * size && /^0x[0-9a-fA-F]*$/.test(value)
}

/** 32 zero bytes: "none" wherever a hash is expected. */
export const ZERO_HASH: Hex = `0x${'00'.repeat(32)}`
export const ZERO_ADDRESS: Hex = `0x${'00'.repeat(20)}`
