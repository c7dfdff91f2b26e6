import { encode } from 'cborg'
import { fromHex, type Hex } from '../hex.ts'
import { keccak256 } from '../keccak.ts'
import { bodyRoot } from './body-root.ts'
import { latin1ToBytes } from './bytes.ts'
import type { CanonicalRequest, CanonicalResponse, HeaderField } from './types.ts'

const utf8 = new TextEncoder()
const HTTP_TAG = utf8.encode('http/1')
const EVENT_TAG = utf8.encode('event/1')

/** What a function is given: an HTTP request, or the raw bytes of an event (`/invoke`). */
export type FunctionInput = { kind: 'http'; request: CanonicalRequest } | { kind: 'event'; body: Uint8Array }

/** What became of it. `response` or `output` with status 0 and 1, nothing with status 2 to 4. */
export type FunctionResult =
  | { kind: 'http'; status: number; response?: CanonicalResponse }
  | { kind: 'event'; status: number; output?: Uint8Array }

const encodeHeaders = (headers: readonly HeaderField[]) =>
  headers.map(([name, value]) => [latin1ToBytes(name), latin1ToBytes(value)])

const bodyParts = (body: Uint8Array) => [body.length, fromHex(bodyRoot(body))]

/** The bytes behind `inputHash`: deterministic CBOR (RFC 8949, 4.2.1), protocol.md. */
export function encodeInput(input: FunctionInput): Uint8Array {
  if (input.kind === 'event') return encode([EVENT_TAG, ...bodyParts(input.body)])
  const { method, host, sourceAddress, path, query, headers, body } = input.request
  const texts = [method, host, sourceAddress, path, query].map(latin1ToBytes)
  return encode([HTTP_TAG, ...texts, encodeHeaders(headers), ...bodyParts(body)])
}

/** The bytes behind `resultHash` (protocol.md). */
export function encodeResult(result: FunctionResult): Uint8Array {
  const tag = result.kind === 'http' ? HTTP_TAG : EVENT_TAG
  if (result.status > 1) return encode([tag, result.status])
  if (result.kind === 'event') return encode([tag, result.status, ...bodyParts(result.output ?? new Uint8Array())])
  if (!result.response) throw new RangeError('a result of status 0 or 1 has a response')
  const { httpStatus, headers, body } = result.response
  return encode([tag, result.status, httpStatus, encodeHeaders(headers), ...bodyParts(body)])
}

/** keccak256 of the canonical bytes of an input. */
export const inputHash = (input: FunctionInput): Hex => keccak256(encodeInput(input))

/** keccak256 of the canonical bytes of a result. */
export const resultHash = (result: FunctionResult): Hex => keccak256(encodeResult(result))
