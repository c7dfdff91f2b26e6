import { fromHex } from '../hex.ts'

const SIZES = { uint8: 1, uint32: 4, uint64: 8, uint96: 12, uint128: 16, uint256: 32 } as const

/**
 * Writes a value as one 32-byte ABI word at `at`. Throws a RangeError where it does not fit its type.
 */
export function writeWord(
  words: Uint8Array,
  at: number,
  type: 'bytes32' | 'address' | keyof typeof SIZES,
  value: string | number | bigint,
): void {
  if (type === 'bytes32' || type === 'address') {
    const bytes = fromHex(value as string)
    const size = type === 'bytes32' ? 32 : 20
    if (bytes.length !== size) throw new RangeError(`not ${size} bytes: ${String(value).slice(0, 80)}`)
    words.set(bytes, at + 32 - size)
    return
  }
  let rest = BigInt(value)
  const size = SIZES[type]
  if (rest < 0n || rest >> BigInt(8 * size) !== 0n) throw new RangeError(`does not fit ${type}: ${rest}`)
  for (let i = at + 31; rest > 0n; i--) {
    words[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
}

/** ABI words of static values, one after another: abi.encode of them. */
export function encodeWords(
  values: readonly (readonly ['bytes32' | 'address' | keyof typeof SIZES, string | number | bigint])[],
): Uint8Array {
  const words = new Uint8Array(32 * values.length)
  values.forEach(([type, value], index) => {
    writeWord(words, 32 * index, type, value)
  })
  return words
}
