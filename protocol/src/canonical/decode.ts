import { decode } from 'cborg'
import { PeerHostError } from '../errors/peerhost-error.ts'
import { toHex } from '../hex.ts'
import { bodyRoot } from './body-root.ts'
import { bytesToLatin1 } from './bytes.ts'
import { encodeInput, encodeResult, type FunctionInput, type FunctionResult } from './encode.ts'
import type { HeaderField } from './types.ts'

const invalid = (detail: string) => new PeerHostError('PH_RECEIPT_INVALID', { detail })
const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function readArray(bytes: Uint8Array): { tag: string; parts: unknown[] } {
  let value: unknown
  try {
    value = decode(bytes)
  } catch {
    throw invalid('canonical bytes are not CBOR')
  }
  if (!Array.isArray(value) || !isBytes(value[0])) throw invalid('canonical bytes are not an array with a tag')
  return { tag: bytesToLatin1(value[0]), parts: value.slice(1) }
}

function readHeaders(value: unknown): HeaderField[] {
  if (!Array.isArray(value)) throw invalid('headers are not an array')
  return value.map((pair: unknown) => {
    if (!Array.isArray(pair) || pair.length !== 2 || !isBytes(pair[0]) || !isBytes(pair[1]))
      throw invalid('a header is not a pair')
    return [bytesToLatin1(pair[0]), bytesToLatin1(pair[1])] as const
  })
}

const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, i) => byte === b[i])

/** Checks that `body` is the one whose length and root the canonical bytes end with. */
function checkBody(length: unknown, root: unknown, body: Uint8Array): void {
  if (!isSize(length) || !isBytes(root) || root.length !== 32)
    throw invalid('canonical bytes have no body length and root')
  if (length !== body.length || toHex(root) !== bodyRoot(body)) throw invalid('the body is not the one that was hashed')
}

/**
 * Reads the bytes behind an `inputHash` together with the body they commit to. Throws PH_RECEIPT_INVALID where they are
 * malformed, not in canonical form, or of another body.
 */
export function decodeInput(bytes: Uint8Array, body: Uint8Array): FunctionInput {
  const { tag, parts } = readArray(bytes)
  let input: FunctionInput
  if (tag === 'event/1' && parts.length === 2) {
    checkBody(parts[0], parts[1], body)
    input = { kind: 'event', body }
  } else if (tag === 'http/1' && parts.length === 8 && parts.slice(0, 5).every(isBytes)) {
    checkBody(parts[6], parts[7], body)
    const [method, host, sourceAddress, path, query] = (parts.slice(0, 5) as Uint8Array[]).map(bytesToLatin1) as [
      string,
      string,
      string,
      string,
      string,
    ]
    input = {
      kind: 'http',
      request: { method, host, sourceAddress, path, query, headers: readHeaders(parts[5]), body },
    }
  } else throw invalid('canonical bytes are of no known kind')
  if (!same(encodeInput(input), bytes)) throw invalid('canonical bytes are not in canonical form')
  return input
}

/** Reads the bytes behind a `resultHash` together with the body they commit to; the same errors as `decodeInput`. */
export function decodeResult(bytes: Uint8Array, body: Uint8Array): FunctionResult {
  const { tag, parts } = readArray(bytes)
  const status = parts[0]
  const kind = tag === 'http/1' ? 'http' : tag === 'event/1' ? 'event' : undefined
  if (!kind || !isSize(status) || status > 4) throw invalid('canonical bytes are of no known kind')
  let result: FunctionResult
  if (status > 1 && parts.length === 1) result = { kind, status }
  else if (kind === 'event' && parts.length === 3) {
    checkBody(parts[1], parts[2], body)
    result = { kind, status, output: body }
  } else if (kind === 'http' && parts.length === 5 && isSize(parts[1])) {
    checkBody(parts[3], parts[4], body)
    result = { kind, status, response: { httpStatus: parts[1], headers: readHeaders(parts[2]), body } }
  } else throw invalid('canonical bytes of a result are malformed')
  if (!same(encodeResult(result), bytes)) throw invalid('canonical bytes are not in canonical form')
  return result
}
