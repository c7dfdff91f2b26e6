import { Outage } from '@peerhost/chain'
import {
  type Hex,
  isPeerHostError,
  PeerHostError,
  paymentRefOfAuthorization,
  toPeerHostError,
} from '@peerhost/protocol'
import { accept } from '../call/accept.ts'
import { type CompletedCall, decodeCompletedCall, encodeCompletedCall } from '../call/completed-call.ts'
import type { Context } from '../context.ts'
import type { ServedFunction } from '../routing/project-catalogue.ts'
import type { PaymentRecord } from '../store/store.ts'
import { accountOf } from './account-of.ts'
import { type Authorization, authorizationFromJson, authorizationToJson, type ExactPayment } from './authorization.ts'
import { caip2, makeOffer, matchesOffer, type Offer, SETTLEMENT_SECONDS } from './offer.ts'
import type { Token } from './token.ts'

export type PaymentsContext = Pick<
  Context,
  'config' | 'gateway' | 'signer' | 'domain' | 'registry' | 'store' | 'log'
> & {
  token: Token
  /** Code behind the vault's accounts. */
  accountImplementation: Hex
}

/** A payment that is reserved for one request. */
export interface OpenPayment {
  ref: Hex
  authorization: Authorization
  /** Transaction by which somebody else has submitted it already. */
  transaction?: Hex
}

/** A call that was paid for earlier and whose answer waits to be delivered (again). */
export interface PaidCall {
  ref: Hex
  payer: Hex
  transaction: Hex
  call: CompletedCall
}

/** `PAYMENT-RESPONSE`. */
export interface SettleResponse {
  success: boolean
  transaction: string
  network: string
  payer?: Hex
  amount?: string
  errorReason?: string
}

const RECONCILE_MS = 10_000
/** Milliseconds until a payment whose end failed is looked at again for the first time. */
const SOON_MS = 1_000
/** Milliseconds that the end waits for payments that are being finished. */
const STOP_MS = 5_000
/** Open payments that are looked after at once. */
const AT_ONCE = 16
/** Milliseconds past its end for which a payment is kept: a block's time may be behind this clock. */
const LATE_MS = 120_000
/** Milliseconds past its end that a used payment without a visible transaction is kept: the payer may also have cancelled it. */
const UNKNOWN_MS = 24 * 3_600_000

/**
 * x402 payments by scheme `exact`: checked, reserved before the handler runs, settled before the answer goes out.
 * A record in the store carries each through a crash (store/store.ts, PaymentState).
 */
export class Payments {
  readonly #context: PaymentsContext
  readonly #offers = new WeakMap<ServedFunction, Offer>()
  /** Payments that a request of this process works on. */
  readonly #active = new Set<Hex>()
  /** Delivered, and not yet on the disk as such. */
  readonly #delivered = new Set<Hex>()
  #timer: NodeJS.Timeout | undefined
  #reconciling: Promise<void> | undefined
  #stopped = false
  readonly #outage: Outage

  constructor(context: PaymentsContext) {
    this.#context = context
    const { log } = context
    this.#outage = new Outage({
      onFailure: ({ code, message }, count) => log('warning', 'payments are still open', { code, message, count }),
      onOver: (count) => log('info', 'no payment is open any more', { failures: count }),
    })
  }

  offer(served: ServedFunction): Offer {
    let offer = this.#offers.get(served)
    if (!offer) {
      const { config, gateway, accountImplementation } = this.#context
      const payTo = accountOf(config.contracts.PaymentVault, accountImplementation, gateway, served.service.owner)
      offer = makeOffer(served, config.network, payTo)
      this.#offers.set(served, offer)
    }
    return offer
  }

  /**
   * Checks a payment and reserves it for the request that `binding` names. Where that request was paid for before and
   * its answer is kept, returns that. `again`: the caller asks for an answer that was delivered once.
   * Throws PH_PAY_INVALID, PH_PAY_IN_FLIGHT or PH_PAY_REPLAYED; nothing is reserved then.
   */
  async open(
    { accepted, authorization }: ExactPayment,
    served: ServedFunction,
    binding: Hex,
    again: boolean,
  ): Promise<OpenPayment | PaidCall> {
    const { token, store } = this.#context
    const offer = this.offer(served)
    const ref = paymentRefOfAuthorization(offer.asset, authorization.from, authorization.nonce)
    await token.checkSignature(authorization)
    // Before the terms: the price may have changed since it was paid.
    const known = store.payment(ref)
    if (known) return this.#known(known, binding, authorization, again)
    this.#checkTerms(offer, accepted, authorization)
    this.#checkTime(authorization, served)
    const transaction = await this.#checkChain(authorization)
    const record: PaymentRecord = {
      ref,
      state: 'reserved',
      binding,
      authorization: authorizationToJson(authorization),
      expiresAt: Math.min(Number(authorization.validBefore) * 1000, Number.MAX_SAFE_INTEGER),
      createdAt: Date.now(),
    }
    if (this.#active.has(ref)) throw new PeerHostError('PH_PAY_IN_FLIGHT', {})
    this.#active.add(ref) // before it is written: what is written and not worked on is freed
    let first: PaymentRecord | undefined
    try {
      first = await store.reserve(record)
    } catch (error) {
      this.#active.delete(ref)
      throw error
    }
    if (!first) return { ref, authorization, transaction }
    this.#active.delete(ref)
    return this.#known(first, binding, authorization, again) // it won the race
  }

  /** Frees a payment: nothing is charged, and it can be used again. */
  async release({ ref }: OpenPayment): Promise<void> {
    try {
      await this.#context.store.release(ref)
    } catch (error) {
      setTimeout(() => void this.#reconcile(), SOON_MS).unref()
      throw error
    } finally {
      this.#active.delete(ref)
    }
  }

  /**
   * Takes the money for a completed call and promises its receipt, durably. Throws PH_PAY_SETTLEMENT_FAILED where the
   * payer cannot be charged, PH_PAY_PENDING where that is not known yet: the answer is kept then, for a retry.
   */
  async settle(payment: OpenPayment, call: CompletedCall): Promise<PaidCall> {
    const { ref, authorization } = payment
    const { store } = this.#context
    try {
      await store.settling(ref, encodeCompletedCall(call))
      const transaction = payment.transaction ?? (await this.#charge(authorization))
      return await this.#settled(ref, authorization, transaction, call)
    } catch (error) {
      if (isPeerHostError(error, 'PH_PAY_SETTLEMENT_FAILED')) await store.release(ref)
      else setTimeout(() => void this.#reconcile(), SOON_MS).unref()
      throw error
    } finally {
      this.#active.delete(ref)
    }
  }

  delivered(ref: Hex): void {
    this.#delivered.add(ref)
    this.#context.store
      .delivered(ref)
      .catch(() => {}) // it would only be delivered once more
      .finally(() => this.#delivered.delete(ref))
  }

  response({ payer, transaction, call }: PaidCall): SettleResponse {
    const network = caip2(this.#context.config.network)
    return { success: true, transaction, network, payer, amount: String(call.receipt.price) }
  }

  failure(error: PeerHostError, payer: Hex): SettleResponse {
    const network = caip2(this.#context.config.network)
    const pending = error.code === 'PH_PAY_PENDING'
    return {
      success: false,
      transaction: '',
      network,
      payer,
      errorReason: pending ? 'settlement_pending' : error.message,
    }
  }

  /** Finishes or frees what a former run left open, then looks now and then for what this one could not end. */
  async start(): Promise<void> {
    await this.#reconcile()
    const next = () => {
      if (this.#stopped) return
      this.#timer = setTimeout(() => void this.#reconcile().finally(next), RECONCILE_MS)
    }
    next()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    // What the chain does not answer in time is finished at the next start.
    const deadline = Promise.withResolvers<void>()
    const timer = setTimeout(deadline.resolve, STOP_MS)
    await Promise.race([this.#reconciling, deadline.promise])
    clearTimeout(timer)
  }

  #checkTerms(offer: Offer, accepted: Record<string, unknown>, { to, value }: Authorization): void {
    const invalid = (reason: string) => new PeerHostError('PH_PAY_INVALID', { reason })
    if (!matchesOffer(offer, accepted)) throw invalid('it accepts another offer than the one of this route')
    if (to !== offer.payTo)
      throw invalid('invalid_exact_evm_recipient_mismatch: it pays another account than the offered one')
    if (value !== BigInt(offer.amount))
      throw invalid('invalid_exact_evm_payload_authorization_value_mismatch: it is not of the offered amount')
  }

  #checkTime({ validAfter, validBefore }: Authorization, { definition }: ServedFunction): void {
    const now = BigInt(Math.floor(Date.now() / 1000))
    if (validAfter > now)
      throw new PeerHostError('PH_PAY_INVALID', {
        reason: 'invalid_exact_evm_payload_authorization_valid_after: it is not valid yet',
      })
    if (validBefore < now + BigInt(definition.timeout + SETTLEMENT_SECONDS))
      throw new PeerHostError('PH_PAY_INVALID', {
        reason:
          'invalid_exact_evm_payload_authorization_valid_before: it has expired, or would before the function has answered',
      })
  }

  /** Whether the chain would take it; the transaction where it has already. */
  async #checkChain(authorization: Authorization): Promise<Hex | undefined> {
    const { token, store } = this.#context
    const reason = await token.whyNot(authorization)
    if (reason === undefined) return undefined
    const state = await token.stateOf(authorization)
    // A payment older than this store may have been served by the one before it.
    if (state.used && state.transaction && (state.blockTime ?? 0) >= store.createdAt / 1000 - 60)
      return state.transaction
    throw new PeerHostError('PH_PAY_INVALID', { reason })
  }

  #known(record: PaymentRecord, binding: Hex, authorization: Authorization, again: boolean): PaidCall {
    const { transaction, answer } = record
    const state = this.#delivered.has(record.ref) ? 'delivered' : record.state
    if (state === 'reserved' || state === 'settling') throw new PeerHostError('PH_PAY_IN_FLIGHT', {})
    // Settled and not delivered: the money was taken, so its request gets its answer; to nobody else, who may know the
    // nonce from the chain, and whose signature only a contract that is the payer could judge.
    const isSame = record.binding === binding && record.authorization === authorizationToJson(authorization)
    if (isSame && answer && transaction && (state === 'settled' || again))
      return { ref: record.ref, payer: authorization.from, transaction, call: decodeCompletedCall(answer) }
    throw new PeerHostError('PH_PAY_REPLAYED', {})
  }

  async #charge(authorization: Authorization): Promise<Hex> {
    const { token, log } = this.#context
    try {
      const { wait } = await token.submit(authorization)
      return (await wait()).hash as Hex
    } catch (cause) {
      const error = toPeerHostError(cause)
      const state = await token.stateOf(authorization).catch(() => undefined)
      if (state?.used && state.transaction) return state.transaction // a stranger was faster
      // Used by what the node does not show, or unknown: the money may have come after all.
      const isKnown = state !== undefined && (!state.used || state.isElsewhere === true)
      const isRefused = error.code === 'PH_CHAIN_REVERTED' || error.code === 'PH_CHAIN_NO_FUNDS'
      const isFinal = isKnown && isRefused
      log(isFinal ? 'warning' : 'error', 'payment not settled', { code: error.code, message: error.message })
      throw isFinal
        ? new PeerHostError('PH_PAY_SETTLEMENT_FAILED', { reason: error.message }, { cause })
        : new PeerHostError('PH_PAY_PENDING', {}, { cause })
    }
  }

  async #settled(ref: Hex, { from }: Authorization, transaction: Hex, call: CompletedCall): Promise<PaidCall> {
    const { accepted, record } = accept(this.#context, call, ref)
    const final = { ...call, accepted }
    await this.#context.store.settled(ref, transaction, encodeCompletedCall(final), record)
    return { ref, payer: from, transaction, call: final }
  }

  #reconcile(): Promise<void> {
    this.#reconciling ??= this.#finishOpen().finally(() => {
      this.#reconciling = undefined
    })
    return this.#reconciling
  }

  async #finishOpen(): Promise<void> {
    if (this.#stopped) return
    const { store } = this.#context
    let failures = 0
    const open = store.openPayments()
    const next = async (): Promise<void> => {
      for (let ref = open.shift(); ref !== undefined && !this.#stopped; ref = open.shift()) {
        const record = store.payment(ref) // as it is now: others may have waited long
        if (!record || this.#active.has(ref)) continue
        try {
          if (record.state === 'reserved') await store.release(ref)
          else if (record.state === 'settling') await this.#finish(record)
        } catch (error) {
          failures++
          this.#outage.failed(toPeerHostError(error))
        }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, next))
    if (failures === 0) this.#outage.worked()
  }

  /** A transaction may be out: the chain says, or sending it again decides. */
  async #finish(record: PaymentRecord): Promise<void> {
    const { token, store, log } = this.#context
    const authorization = authorizationFromJson(record.authorization)
    const state = await token.stateOf(authorization)
    let transaction = state.used ? state.transaction : undefined
    // Used, by a transaction that the node does not show (yet): the money may have come, so its answer is kept.
    if (state.used && !transaction && !state.isElsewhere && Date.now() < record.expiresAt + UNKNOWN_MS)
      throw new PeerHostError('PH_PAY_PENDING', {})
    if (!state.used && record.expiresAt <= Date.now() && Date.now() < record.expiresAt + LATE_MS)
      throw new PeerHostError('PH_PAY_PENDING', {})
    if (!state.used && Date.now() < record.expiresAt) {
      transaction = await this.#charge(authorization).catch((error) => {
        if (isPeerHostError(error, 'PH_PAY_SETTLEMENT_FAILED')) return undefined
        throw error
      })
    }
    if (transaction) await this.#settled(record.ref, authorization, transaction, decodeCompletedCall(record.answer!))
    else await store.release(record.ref)
    log('info', transaction ? 'open payment settled' : 'open payment freed', { ref: record.ref })
  }
}
