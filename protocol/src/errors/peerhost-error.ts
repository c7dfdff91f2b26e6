import { CATALOGUE, type ErrorCode, type ErrorDescriptor, type ErrorKind } from './catalogue.ts'

/** The placeholders of a template. */
type Placeholders<T extends string> = T extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never
type Words<C extends ErrorCode> = Placeholders<(typeof CATALOGUE)[C]['template']>
/** What an error of this code needs said; hints may use further words. */
export type ErrorArguments<C extends ErrorCode> = Record<Words<C>, string | number | bigint> &
  Record<string, string | number | bigint>

const fill = (text: string, words: Record<string, unknown>) =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in words ? String(words[name]) : whole))

/**
 * The one error of PeerHost: a stable code from the catalogue, one sentence, and what to do next.
 *
 * @example throw new PeerHostError('PH_REQUEST_NO_ROUTE', { path: '/shop/quote' })
 */
export class PeerHostError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'PeerHostError'
  readonly code: C
  readonly hint: string
  readonly kind: ErrorKind
  /** HTTP status of an answer that says this. */
  readonly status: number

  constructor(code: C, words: ErrorArguments<C>, options?: { cause?: unknown }) {
    const descriptor: ErrorDescriptor = CATALOGUE[code]
    super(fill(descriptor.template, words), options)
    this.code = code
    this.hint = fill(descriptor.hint, words)
    this.kind = descriptor.kind
    this.status = descriptor.status
  }

  /** What a gateway answers and `--json` prints. */
  toJSON(): { code: C; message: string; hint: string } {
    return { code: this.code, message: this.message, hint: this.hint }
  }
}

/** True for a PeerHostError, also one of another copy of this module, and, if given, of that code. */
export function isPeerHostError<C extends ErrorCode>(error: unknown, code?: C): error is PeerHostError<C> {
  const candidate = error as { name?: unknown; code?: unknown } | null
  return (
    candidate?.name === 'PeerHostError' &&
    typeof candidate.code === 'string' &&
    (code === undefined || candidate.code === code)
  )
}

/** Makes a PeerHostError of whatever was thrown: PH_INTERNAL where it was none. */
export function toPeerHostError(error: unknown): PeerHostError {
  if (isPeerHostError(error)) return error
  return new PeerHostError(
    'PH_INTERNAL',
    { detail: error instanceof Error ? error.message : String(error) },
    { cause: error },
  )
}
