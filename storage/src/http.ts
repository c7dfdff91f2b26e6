import { isPeerHostError, PeerHostError } from '@peerhost/protocol'

/** Milliseconds within which another machine has to have answered in full. */
export const DEFAULT_TIMEOUT_MS = 30_000

export interface HttpRequest {
  method?: string
  headers?: Record<string, string>
  body?: BodyInit
  redirect?: RequestRedirect
  signal?: AbortSignal
  timeoutMs?: number
}

/** Trims the slash at the end and refuses what is not http or https: PH_CONFIG_INVALID. */
export function baseUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return url.replace(/\/+$/, '')
  throw new PeerHostError('PH_CONFIG_INVALID', { detail: `the store's address "${url}" is not an http(s) URL` })
}

/**
 * One HTTP exchange with a store, body included. `read` gets the response and a signal that ends with the deadline.
 * Throws PH_STORE_UNREACHABLE, PH_STORE_TIMEOUT, the caller's own abort reason, and what `read` throws.
 */
export async function exchange<T>(
  store: string,
  url: string,
  request: HttpRequest,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, signal, ...init } = request
  signal?.throwIfAborted()
  const deadline = AbortSignal.timeout(timeoutMs)
  const either = signal ? AbortSignal.any([signal, deadline]) : deadline
  let response: Response | undefined
  try {
    response = await fetch(url, { ...init, signal: either })
    return await read(response)
  } catch (cause) {
    // A body left unread would keep its socket from being used again.
    if (response?.body && !response.bodyUsed) await response.body.cancel().catch(() => undefined)
    if (isPeerHostError(cause)) throw cause
    signal?.throwIfAborted()
    if (deadline.aborted) throw new PeerHostError('PH_STORE_TIMEOUT', { store }, { cause })
    throw new PeerHostError('PH_STORE_UNREACHABLE', { store, detail: reasonOf(cause) }, { cause })
  }
}

/** Reads a stream up to a limit: PH_STORE_TOO_LARGE ends it early, whatever a length header said. */
export async function readLimited(body: AsyncIterable<Uint8Array> | null, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of body ?? []) {
    size += part.length
    if (size > maxBytes) throw new PeerHostError('PH_STORE_TOO_LARGE', { limit: maxBytes })
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** The PeerHost error that an answer other than 2xx means. */
export async function refusal(store: string, response: Response): Promise<PeerHostError> {
  const detail = await messageOf(response)
  const { status } = response
  if (status === 401 || status === 403)
    return new PeerHostError('PH_STORE_AUTHENTICATION', { store }, { cause: new Error(detail) })
  if (status === 429 || status >= 500)
    return new PeerHostError('PH_STORE_UNREACHABLE', { store, detail: `${status} ${detail}` })
  return new PeerHostError('PH_STORE_REFUSED', { store, detail: `${status} ${detail}` })
}

/** What a refusing server says, cut to what fits a message: JSON of a gateway or of kubo, or plain text. */
async function messageOf(response: Response): Promise<string> {
  const text = Buffer.from(
    await readLimited(response.body as AsyncIterable<Uint8Array> | null, 64 * 1024).catch(() => new Uint8Array()),
  ).toString()
  try {
    const json = JSON.parse(text)
    const message = json.message ?? json.Message ?? json.error?.message
    if (typeof message === 'string') return printable(message)
  } catch {}
  return printable(text) || response.statusText
}

const printable = (text: string): string =>
  text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 200)

/** The innermost reason: fetch hides "connection refused" under "fetch failed". */
export function reasonOf(error: unknown): string {
  let reason = error
  while (reason instanceof Error && reason.cause instanceof Error) reason = reason.cause
  const { code, message } = reason as { code?: string; message?: string }
  return printable(message || code || String(reason))
}
