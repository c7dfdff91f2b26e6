import { formatUsdc, type Hex, PeerHostError, paymentRefOfAuthorization } from '@peerhost/protocol'
import { x402Client } from '@x402/core/client'
import { decodePaymentRequiredHeader, decodePaymentResponseHeader, encodePaymentSignatureHeader } from '@x402/core/http'
import { PaymentRequiredV2Schema } from '@x402/core/schemas'
import type { PaymentPayload, PaymentRequired, PaymentRequirements } from '@x402/core/types'
import type { ClientEvmSigner } from '@x402/evm'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { chooseOffer, networkId, type PaymentNetwork, type SpendPolicy } from './choose-offer.ts'
import { type PaymentSigner, toPaymentSigner } from './payment-signer.ts'

export interface PayingFetchOptions {
  /** Without one only free calls succeed; a price is PH_PAY_NO_SIGNER. */
  signer?: PaymentSigner
  /** What one call may cost at most, in atomic USDC (1 USDC = 1,000,000): all that is signed for it, taken together. */
  maxPrice: bigint
  /** Where payments may be made, for example [NETWORKS.polygon]. A key is the same on every chain, so name only what the caller means to spend on. */
  networks: readonly PaymentNetwork[]
  acceptPayee?: SpendPolicy['acceptPayee']
  /** Tells of a payment and what became of it, before the answer is handed out. */
  onPayment?: (payment: Payment) => void
  /** Sends the payer's address with every call (`peerhost-payer`), so that a free call of a `deterministic` function can be disputed too. */
  namePayer?: boolean
  /** Default: the global fetch. */
  fetch?: typeof globalThis.fetch
  /** How often a paid request whose answer was lost is sent again, with the same payment. Default: 3. */
  retries?: number
  /** Milliseconds before the first of these, doubled each time. Default: 250. */
  retryDelayMs?: number
}

/** One signed payment. */
export interface Payment {
  url: string
  chainId: number
  asset: Hex
  payer: Hex
  payTo: Hex
  /** Atomic USDC. */
  amount: bigint
  /** EIP-3009 nonce. */
  nonce: Hex
  /** Seconds since 1970; after it nobody can collect the payment. */
  validBefore: number
  /** What the gateway's Acceptance must name (protocol.md). */
  paymentRef: Hex
  /** HTTP status of the paid answer. */
  status: number
  /** The gateway's word (PAYMENT-RESPONSE); absent where it says that nothing was charged, as for a failed function. */
  settlement?: { success: boolean; transaction?: string; errorReason?: string }
}

/** What a gateway says of a payment that it works on: the same payment will have an answer. */
const NOT_YET = new Set(['PH_PAY_IN_FLIGHT', 'PH_PAY_PENDING'])
/** Polls of such a payment: the chain may be slow, but not beyond the payment's end. */
const IN_FLIGHT_POLLS = 60
/** Bytes of a paid answer that are waited for as a whole. */
const MAX_WHOLE = 16 * 1024 * 1024

/**
 * Makes a fetch that pays: it answers a 402 of x402 version 2 with an `exact` payment (EIP-3009), after checking what it
 * is asked to sign. One payment is signed a call; it is sent again, never replaced, where the answer is lost, so that a
 * flaky line does not pay twice. If the price changed in between (a fresh 402 with another offer), one more is signed
 * where both together are within `maxPrice`: that the first was not collected is only the server's word.
 * A paid answer of announced length is handed out when all of it has come, so that one that breaks off is asked for again.
 *
 * The answer is what the gateway answers, also a 402 to a payment it does not take.
 *
 * @throws PH_PAY_NO_SIGNER, PH_PAY_TOO_EXPENSIVE, PH_PAY_OFFER_UNACCEPTABLE before anything is signed,
 * PH_PAY_ANSWER_LOST after; and what fetch throws for the unpaid request
 *
 * @example
 * const pay = createPayingFetch({ signer: privateKey, maxPrice: 10_000n, networks: [NETWORKS.polygon] })
 * const answer = await pay('https://gateway.example/run/0x…/shop/quote/42')
 */
export function createPayingFetch(options: PayingFetchOptions): typeof globalThis.fetch {
  let ready: Promise<ClientEvmSigner> | undefined
  const getSigner = () => {
    if (ready === undefined && options.signer !== undefined) ready = toPaymentSigner(options.signer)
    return ready
  }
  return async (input, init) => {
    const request = new Request(input, init)
    const headers = new Headers(request.headers)
    // The receipt is over the function's own bytes; a fetch that unpacked them could not check it.
    if (!headers.has('accept-encoding')) headers.set('accept-encoding', 'identity')
    const payer = options.namePayer ? (await getSigner())?.address : undefined
    if (payer) headers.set('peerhost-payer', payer)
    // Kept to be sent again: a stream can be read only once.
    const body = request.body ? await request.arrayBuffer() : undefined
    const call = new PaidCall(options, { request, headers, body, getSigner })
    return call.run()
  }
}

interface CallParts {
  request: Request
  headers: Headers
  body: ArrayBuffer | undefined
  getSigner: () => Promise<ClientEvmSigner> | undefined
}

interface SignedPayment {
  payload: PaymentPayload
  header: string
  offer: PaymentRequirements
  payment: Omit<Payment, 'status' | 'settlement'>
}

class PaidCall {
  readonly #options: PayingFetchOptions
  readonly #parts: CallParts
  readonly #url: string

  constructor(options: PayingFetchOptions, parts: CallParts) {
    this.#options = options
    this.#parts = parts
    this.#url = parts.request.url
  }

  async run(): Promise<Response> {
    const first = await this.#send()
    const required = first.status === 402 ? readPaymentRequired(first) : undefined
    if (!required) return first
    await first.body?.cancel()

    let signed = await this.#sign(required)
    let response = await this.#sendPaid(signed)
    const changed = response.status === 402 ? readPaymentRequired(response) : undefined
    if (changed && !changed.accepts.some((offer) => sameOffer(offer, signed.offer))) {
      await response.body?.cancel()
      signed = await this.#sign(changed, this.#options.maxPrice - signed.payment.amount)
      response = await this.#sendPaid(signed)
    }
    this.#options.onPayment?.({ ...signed.payment, status: response.status, settlement: readSettlement(response) })
    return response
  }

  /** `isCopy`: this payment was sent before; a PeerHost gateway then hands out the answer that it kept for it. */
  #send(payment?: string, isCopy = false): Promise<Response> {
    const { request, headers, body } = this.#parts
    const all = new Headers(headers)
    if (payment) all.set('payment-signature', payment)
    if (isCopy) all.set('peerhost-retry', '1')
    return (this.#options.fetch ?? globalThis.fetch)(new Request(request, { headers: all, body }))
  }

  async #sign(required: PaymentRequired, maxPrice = this.#options.maxPrice): Promise<SignedPayment> {
    const { networks, acceptPayee } = this.#options
    const signer = await this.#parts.getSigner()
    const policy = { maxPrice, networks, acceptPayee }
    const offer = await chooseOffer(required.accepts, policy, { url: this.#url, payer: signer?.address })
    if (!signer) throw new PeerHostError('PH_PAY_NO_SIGNER', { price: formatUsdc(BigInt(offer.amount)) })
    // x402's own spend controls are set to the same: two checks of one promise.
    const client = new x402Client().register(offer.network, new ExactEvmScheme(signer)).setSpendControls({
      allowedAssets: [{ network: offer.network, asset: offer.asset, maxAmountPerPayment: String(maxPrice) }],
    })
    const payload = await client.createPaymentPayload({ ...required, accepts: [offer] })
    const { authorization } = payload.payload as {
      authorization: Record<'from' | 'to' | 'nonce' | 'validBefore', string>
    }
    const [asset, payer, payTo, nonce] = [offer.asset, authorization.from, authorization.to, authorization.nonce].map(
      (hex) => hex.toLowerCase() as Hex,
    ) as [Hex, Hex, Hex, Hex]
    return {
      payload,
      header: encodePaymentSignatureHeader(payload),
      offer,
      payment: {
        url: this.#url,
        chainId: networks.find((network) => networkId(network) === offer.network)!.chainId,
        asset,
        payer,
        payTo,
        amount: BigInt(offer.amount),
        nonce,
        validBefore: Number(authorization.validBefore),
        paymentRef: paymentRefOfAuthorization(asset, payer, nonce),
      },
    }
  }

  /** Sends one payment until there is an answer to it; a 402 is handed out only if no other copy can have been charged. */
  async #sendPaid(signed: SignedPayment): Promise<Response> {
    const { retries = 3, retryDelayMs = 250 } = this.#options
    const { signal } = this.#parts.request
    let lost = 0
    let polls = 0
    for (;;) {
      let response: Response
      try {
        response = await this.#whole(await this.#send(signed.header, lost + polls > 0))
      } catch (cause) {
        if (signal.aborted) throw cause
        if (lost >= retries) throw this.#lost(signed, reasonOf(cause), cause)
        await pause(retryDelayMs * 2 ** lost++, signal)
        continue
      }
      const reason = response.status === 402 || response.status === 503 ? await refusalOf(response) : undefined
      if (response.status !== 402 && reason !== 'PH_PAY_PENDING') return response
      if (NOT_YET.has(reason ?? '') && polls < IN_FLIGHT_POLLS && Date.now() / 1000 < signed.payment.validBefore) {
        await response.body?.cancel()
        await pause(Math.min(retryDelayMs * 2 ** polls++, 2000), signal)
        continue
      }
      if (lost + polls === 0) return response
      // An earlier copy may have been charged: neither is this refusal the whole truth, nor may another payment be signed.
      await response.body?.cancel()
      throw this.#lost(signed, `the copy was refused (${reason ?? 'no reason given'})`)
    }
  }

  /** Waits for the rest of an answer; throws where it breaks off. */
  async #whole(response: Response): Promise<Response> {
    const length = Number(response.headers.get('content-length') ?? Number.NaN)
    if (!response.body || !(length <= MAX_WHOLE)) return response
    const { url, redirected, status, statusText, headers } = response
    const body = await response.arrayBuffer()
    const whole = new Response(body, { status, statusText, headers })
    return Object.defineProperties(whole, { url: { value: url }, redirected: { value: redirected } })
  }

  #lost({ payment }: SignedPayment, detail: string, cause?: unknown): PeerHostError {
    return new PeerHostError('PH_PAY_ANSWER_LOST', { detail, price: formatUsdc(payment.amount) }, { cause })
  }
}

const sameOffer = (a: PaymentRequirements, b: PaymentRequirements): boolean =>
  a.scheme === b.scheme &&
  a.network === b.network &&
  a.amount === b.amount &&
  a.asset.toLowerCase() === b.asset.toLowerCase() &&
  a.payTo.toLowerCase() === b.payTo.toLowerCase()

/** The offers of a 402; undefined where it has none: a function may answer 402 of its own. */
function readPaymentRequired(response: Response): PaymentRequired | undefined {
  const header = response.headers.get('payment-required')
  if (header === null) return undefined
  try {
    return PaymentRequiredV2Schema.parse(decodePaymentRequiredHeader(header)) as PaymentRequired
  } catch (cause) {
    const reason = 'the PAYMENT-REQUIRED header is not one of x402 version 2'
    throw new PeerHostError('PH_PAY_OFFER_UNACCEPTABLE', { reason }, { cause })
  }
}

function readSettlement(response: Response): Payment['settlement'] {
  const header = response.headers.get('payment-response')
  if (header === null) return undefined
  try {
    const { success, transaction, errorReason } = decodePaymentResponseHeader(header)
    return { success: success === true, transaction: text(transaction), errorReason: text(errorReason) }
  } catch {
    return undefined
  }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value.slice(0, 200) : undefined)

/** Why a payment was refused: the code in the JSON body of a PeerHost gateway, else x402's reason in the header. */
async function refusalOf(response: Response): Promise<string | undefined> {
  const length = Number(response.headers.get('content-length') ?? Number.NaN)
  if (response.headers.get('content-type')?.includes('json') && length <= 65_536) {
    try {
      const { code } = JSON.parse(await response.clone().text())
      if (typeof code === 'string') return code
    } catch {}
  }
  return text(readPaymentRequired(response)?.error)
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

function reasonOf(error: unknown): string {
  let reason = error
  while (reason instanceof Error && reason.cause instanceof Error) reason = reason.cause
  return (reason instanceof Error ? reason.message : String(reason)).slice(0, 200)
}
