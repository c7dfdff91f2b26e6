import { type CanonicalResponse, type HeaderField, isAnswerStatus } from '@peerhost/protocol'
import type { ResponseStream } from '../types.ts'
import { AnswerTooLarge, BadAnswer, type FunctionFailure } from './ends.ts'
import { FRAME, type Frame } from './frame.ts'

/** Bytes of a response's body, or of a raw event's result. */
export const MAX_RESPONSE = 6 * 1024 * 1024
const MAX_HEAD = 64 * 1024
/** No frame of a child may be longer. */
export const MAX_FRAME = MAX_RESPONSE + MAX_HEAD + 16

/** Bytes that an answer's frames may take beside its body: a hostile child sends many with nothing in them. */
const MAX_OVERHEAD = 1024 * 1024
const FRAME_OVERHEAD = 9
const HEADLESS: ReadonlySet<number> = new Set([FRAME.chunk, FRAME.end, FRAME.output])

const MAX_TEXT = 32_768
const MAX_TRACE = 100
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** What one execution came to. */
export type Answer =
  | { kind: 'response'; response: CanonicalResponse }
  | { kind: 'output'; output: Buffer }
  | { kind: 'failed'; failure: FunctionFailure }

function parseJson(bytes: Buffer): unknown {
  if (bytes.length > MAX_HEAD) throw new BadAnswer('its headers are too large')
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new BadAnswer('its head is not JSON')
  }
}

const isHeader = (field: unknown): field is HeaderField =>
  Array.isArray(field) &&
  field.length === 2 &&
  typeof field[0] === 'string' &&
  typeof field[1] === 'string' &&
  TOKEN.test(field[0]) &&
  VALUE.test(field[1])

function parseHead(bytes: Buffer): Omit<CanonicalResponse, 'body'> {
  const head = parseJson(bytes) as { httpStatus?: unknown; headers?: unknown } | null
  const httpStatus = head?.httpStatus
  // Whoever signed it would have signed nonsense.
  if (!isAnswerStatus(httpStatus)) throw new BadAnswer('its status is not one of a response')
  if (!Array.isArray(head!.headers) || !head!.headers.every(isHeader)) throw new BadAnswer('a header is not valid')
  return { httpStatus, headers: head!.headers as HeaderField[] }
}

const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, MAX_TEXT) : '')

/** What a child says of an error; whatever is not as it should be, or is too long, becomes empty text. */
export function parseFailure(bytes: Buffer): FunctionFailure {
  let told: Record<string, unknown> = {}
  if (bytes.length > MAX_OVERHEAD) return { errorType: 'Error', errorMessage: '', trace: [] } // half a second to parse
  try {
    told = (JSON.parse(bytes.toString('utf8')) as typeof told | null) ?? {}
  } catch {}
  const trace = Array.isArray(told.trace) ? told.trace.slice(0, MAX_TRACE).map(text) : []
  return { errorType: text(told.errorType) || 'Error', errorMessage: text(told.errorMessage), trace }
}

/** Puts an answer together from a child's frames, which may be hostile. */
export class AnswerReader {
  readonly #kind: 'http' | 'event'
  readonly #stream: ResponseStream | undefined
  #head: Omit<CanonicalResponse, 'body'> | undefined
  #chunks: Buffer[] = []
  #size = 0
  #overhead = 0

  constructor(kind: 'http' | 'event', stream: ResponseStream | undefined) {
    this.#kind = kind
    this.#stream = stream
  }

  /** Gives the answer once it is complete. Throws BadAnswer and AnswerTooLarge. */
  take({ type, head, body }: Frame): Answer | undefined {
    this.#size += body.length
    if (this.#size > MAX_RESPONSE) throw new AnswerTooLarge()
    this.#overhead += FRAME_OVERHEAD + head.length
    if (this.#overhead > MAX_OVERHEAD) throw new BadAnswer('it comes in too many or too large pieces')
    if (head.length > 0 && HEADLESS.has(type)) throw new BadAnswer(`a frame of type ${type} with a head`)
    const streaming = this.#head !== undefined
    if (type === FRAME.failed) return { kind: 'failed', failure: parseFailure(head) }
    if (this.#kind === 'event') {
      if (type === FRAME.output) return { kind: 'output', output: body }
    } else if (type === FRAME.whole && !streaming) {
      return { kind: 'response', response: { ...parseHead(head), body } }
    } else if (type === FRAME.head && !streaming) {
      this.#head = parseHead(head)
      this.#stream?.head(this.#head)
      return undefined
    } else if (type === FRAME.chunk && streaming) {
      if (body.length === 0) return undefined
      this.#chunks.push(body)
      this.#stream?.chunk(body)
      return undefined
    } else if (type === FRAME.end && streaming) {
      return { kind: 'response', response: { ...this.#head!, body: Buffer.concat(this.#chunks) } }
    }
    throw new BadAnswer(`a frame of type ${type} where none belongs`)
  }
}
