import { CATALOGUE, type Domain, type Hex, type MessageSigner, PeerHostError, signAccess } from '@peerhost/protocol'

/** One function in a gateway's `/services`. */
export interface ServedFunction {
  owner: Hex
  project: string
  function: string
  version: number
  price: string
  codeDigest: Hex
  manifestDigest: Hex
}

export interface GatewayClientOptions {
  /** Without slash at the end. */
  url: string
  signer: Pick<MessageSigner, 'address' | 'sign'>
  domain: Domain
}

/** Speaks to a gateway as the owner: reads what it serves, and signs the calls that only he may make. */
export class GatewayClient {
  readonly url: string
  readonly #signer: GatewayClientOptions['signer']
  readonly #domain: Domain

  constructor({ url, signer, domain }: GatewayClientOptions) {
    this.url = url
    this.#signer = signer
    this.#domain = domain
  }

  /** The value of PEERHOST-AUTH for a call of this gateway. */
  authorize(method: string, target: string, body?: Uint8Array): string {
    return signAccess(this.#signer, { domain: this.#domain, method, target, body, now: Date.now() / 1000 })
  }

  /** What the gateway serves of a project, by function. @throws PH_GATEWAY_UNREACHABLE, PH_GATEWAY_REFUSED */
  async services(owner: Hex, project: string): Promise<Map<string, ServedFunction>> {
    const response = await this.#fetch(`/services?owner=${owner}&project=${encodeURIComponent(project)}`, {})
    if (!response.ok) throw await this.#refusal(response)
    const answer = (await response.json().catch(() => undefined)) as { services?: ServedFunction[] } | undefined
    if (!Array.isArray(answer?.services))
      throw new PeerHostError('PH_GATEWAY_REFUSED', { detail: 'its /services is not readable' })
    const own = answer.services.filter((one) => one.owner?.toLowerCase() === owner && one.project === project)
    return new Map(own.map((one) => [one.function, one]))
  }

  /** A signed call. The answer may be an error of the function: the caller looks at it. @throws PH_GATEWAY_UNREACHABLE */
  async call(
    method: string,
    path: string,
    body?: Uint8Array,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    const { pathname, search } = new URL(this.url + path)
    const auth = this.authorize(method, pathname + search, body)
    return this.#fetch(path, {
      method,
      body: body as BodyInit | undefined,
      headers: { ...headers, 'peerhost-auth': auth },
      redirect: 'error',
      signal,
    })
  }

  /** A signed call whose answer must be a success. */
  async callOk(...args: Parameters<GatewayClient['call']>): Promise<Response> {
    const response = await this.call(...args)
    if (!response.ok) throw await this.#refusal(response)
    return response
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(this.url + path, init)
    } catch (cause) {
      if (init.signal?.aborted) throw cause
      const inner = (cause as { cause?: { code?: string; message?: string } }).cause
      const detail = inner?.message || inner?.code || (cause as Error).message
      throw new PeerHostError('PH_GATEWAY_UNREACHABLE', { url: this.url, detail }, { cause })
    }
  }

  /** What the gateway says went wrong, under its own code where it is one of the catalogue. */
  async #refusal(response: Response): Promise<Error> {
    return refusalOf(response.status, await response.text().catch(() => ''))
  }
}

const printable = (text: unknown): string =>
  String(text ?? '')
    .replace(/[^\x20-\x7e\u00a0-\u{10ffff}]+/gu, ' ')
    .slice(0, 1000)

/** An error that a gateway answered with: code, message and hint are its own. */
class GatewayError extends Error {
  override readonly name = 'PeerHostError'
  readonly code: string
  readonly hint: string

  constructor(code: string, message: string, hint: string) {
    super(message)
    this.code = code
    this.hint = hint
  }
}

/** The error that an answer of a gateway stands for. */
export function refusalOf(status: number, body: string): Error {
  try {
    const { code, message, hint } = JSON.parse(body)
    if (Object.hasOwn(CATALOGUE, code) && message) return new GatewayError(code, printable(message), printable(hint))
  } catch {
    // not JSON: as it is
  }
  return new PeerHostError('PH_GATEWAY_REFUSED', { detail: `${status} ${printable(body).slice(0, 300)}`.trim() })
}
