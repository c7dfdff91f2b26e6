import { type Hex, isPeerHostError, PeerHostError } from '@peerhost/protocol'
import { type JsonRpcProvider, type TransactionReceipt, Wallet } from 'ethers'
import { reasonOf } from './connect-chain.ts'
import { type Fees, marketFees, replacementFees } from './fees.ts'
import { nodeError } from './node-error.ts'
import { revertReason } from './revert-reason.ts'

export interface TransactionCall {
  to: Hex
  data: Hex
  value?: bigint
  /** Estimated, with a fifth on top, where it is left out. */
  gasLimit?: bigint
}

export interface SentTransaction {
  /** As first sent: where it was re-priced, another one with its number was mined, which the receipt names. */
  hash: Hex
  /** Settles when it is mined; throws PH_CHAIN_REVERTED or PH_CHAIN_TIMEOUT. */
  wait(): Promise<TransactionReceipt>
}

export interface TransactionSender {
  /** Lower case. */
  readonly address: Hex
  /**
   * Signs and sends. A call whose transaction was given up on (PH_CHAIN_TIMEOUT) and may still be mined is not sent a
   * second time: its transaction is waited for again. Throws PH_CHAIN_REVERTED, PH_CHAIN_NO_FUNDS or
   * PH_CHAIN_UNREACHABLE; then nothing was sent.
   */
  send(call: TransactionCall): Promise<SentTransaction>
}

export interface CreateSenderOptions {
  provider: JsonRpcProvider
  privateKey: string
  /** Milliseconds between two looks for a receipt. */
  pollMs?: number
  /** Seconds until a transaction that is not mined is given up on. */
  timeoutSeconds?: number
  /** Seconds, and blocks after them, until a transaction that is not mined is replaced by one that pays more. */
  stuckSeconds?: number
  stuckBlocks?: number
  /** Fee per gas that is never exceeded, in the chain's smallest unit. */
  maxFeePerGas?: bigint
  /** Nobody else sends by this key: what a former run left stuck may be replaced by nothing, so that it blocks nothing. */
  isOwnKey?: boolean
}

/** A transaction that was sent and is not known to be mined. */
interface Open {
  nonce: number
  call: TransactionCall
  gasLimit: bigint
  /** Of the latest of its versions. */
  fees: Fees
  raw?: string
  /** Of all versions, the latest last: any of them may be mined. */
  hashes: Hex[]
  sentAt: number
  /** Block since which it counts as stuck. */
  stuckSince?: number
  isGivenUp: boolean
}

const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))
/** Milliseconds between two looks for stuck transactions. */
const STUCK_LOOK_MS = 1_000
const GWEI = 1_000_000_000n

const isSameCall = (a: TransactionCall, b: TransactionCall) =>
  a.to === b.to && a.data === b.data && (a.value ?? 0n) === (b.value ?? 0n)

/**
 * Sends transactions of one key, numbering them itself, so that many can be under way at once, and re-prices those that
 * get stuck. One sender a key and process: two would take the same nonces.
 */
export function createSender({
  provider,
  privateKey,
  pollMs = 50,
  timeoutSeconds = 120,
  stuckSeconds = 10,
  stuckBlocks = 3,
  maxFeePerGas = 2_000n * GWEI,
  isOwnKey = false,
}: CreateSenderOptions): TransactionSender {
  let wallet: Wallet
  try {
    wallet = new Wallet(privateKey)
  } catch {
    throw new PeerHostError('PH_CONFIG_KEY_INVALID', {}) // without the cause, which may show the key
  }
  const address = wallet.address.toLowerCase() as Hex
  let nextNonce: number | undefined
  const open = new Map<number, Open>()
  let last: Open | undefined
  let market: (Fees & { at: number }) | undefined
  let turn: Promise<unknown> = Promise.resolve()
  let lookedAt = 0
  let looking: Promise<void> | undefined

  async function currentFees(): Promise<Fees> {
    if (!market || Date.now() - market.at > 5_000)
      market = { ...(await marketFees(provider, maxFeePerGas)), at: Date.now() }
    return market
  }

  async function estimate({ to, data, value }: TransactionCall): Promise<bigint> {
    const gas = await provider.estimateGas({ from: address, to, data, value })
    return gas + gas / 5n
  }

  async function sign(nonce: number, { to, data, value }: TransactionCall, gasLimit: bigint, fees: Fees) {
    const { chainId } = await provider.getNetwork()
    const { maxFeePerGas, maxPriorityFeePerGas } = fees
    const price = { maxFeePerGas, maxPriorityFeePerGas }
    return wallet.signTransaction({ type: 2, chainId, nonce, to, data, value, gasLimit, ...price })
  }

  const broadcast = async (raw: string) => (await provider.send('eth_sendRawTransaction', [raw])) as Hex

  /** The next number by what the node has, after those that are known here to be open. */
  async function findNonce(): Promise<number> {
    const [next, first] = await Promise.all([
      provider.getTransactionCount(address, 'pending'),
      isOwnKey ? provider.getTransactionCount(address, 'latest') : undefined,
    ])
    // Sent by a former run, or by a request whose answer was lost: what they are for is sent again by whoever wants it.
    for (let nonce = first ?? next; nonce < next; nonce++)
      if (!open.has(nonce)) {
        const call: TransactionCall = { to: address, data: '0x' }
        const fees = await currentFees()
        open.set(nonce, { nonce, call, gasLimit: 21_000n, fees, hashes: [], sentAt: Date.now(), isGivenUp: true })
      }
    let nonce = next
    while (open.has(nonce)) nonce++ // the node has dropped it: it is sent again when it is found to be stuck
    return nonce
  }

  /** Takes the next number, signs and hands over to the node; one at a time, so that no number is left out. */
  async function submit(call: TransactionCall, gasLimit: bigint): Promise<Open> {
    // A re-organisation may have taken back what was mined: the numbers kept here would leave a gap then, for ever.
    if (last && open.size === 0 && !(await minedOf(last).catch(() => true))) nextNonce = undefined
    nextNonce ??= await findNonce()
    const nonce = nextNonce
    const fees = await currentFees()
    const raw = await sign(nonce, call, gasLimit, fees)
    try {
      const hash = await broadcast(raw)
      const entry: Open = { nonce, call, gasLimit, fees, raw, hashes: [hash], sentAt: Date.now(), isGivenUp: false }
      open.set(nonce, entry)
      last = entry
      nextNonce = nonce + 1
      return entry
    } catch (error) {
      nextNonce = undefined // ask the node again: this one may or may not have been taken
      throw error
    }
  }

  async function minedOf({ hashes }: Open): Promise<TransactionReceipt | undefined> {
    for (let at = hashes.length - 1; at >= 0; at--) {
      const receipt = await provider.getTransactionReceipt(hashes[at]!)
      if (receipt) return receipt
    }
    return undefined
  }

  /** The given up transaction of the same call, where it can still be mined. */
  async function givenUp(call: TransactionCall): Promise<Open | undefined> {
    const entry = [...open.values()].find((each) => each.isGivenUp && each.raw && isSameCall(each.call, call))
    if (!entry || entry.nonce >= (await provider.getTransactionCount(address, 'latest'))) return entry
    if (await minedOf(entry)) return entry
    open.delete(entry.nonce) // another one took its number
    return undefined
  }

  /** Replaces transactions that are stuck by ones that pay more, as long as anything is waited for; one look at a time. */
  function unstick(): Promise<void> | undefined {
    const now = Date.now()
    if (looking || now - lookedAt < Math.min(STUCK_LOOK_MS, stuckSeconds * 1_000)) return looking
    const old = [...open.values()].filter(({ sentAt }) => now - sentAt > stuckSeconds * 1_000)
    if (old.length === 0) return undefined
    lookedAt = now
    looking = replaceStuck(old.sort((a, b) => a.nonce - b.nonce))
      .catch(() => {}) // the node does not answer: the next look comes soon
      .finally(() => {
        looking = undefined
      })
    return looking
  }

  async function replaceStuck(old: Open[]): Promise<void> {
    const [mined, block] = await Promise.all([
      provider.getTransactionCount(address, 'latest'),
      provider.getBlock('latest'),
    ])
    if (!block) return
    for (const entry of old) {
      if (entry.nonce < mined) {
        if (entry.isGivenUp) open.delete(entry.nonce)
        continue
      }
      entry.stuckSince ??= block.number
      if (block.number - entry.stuckSince < stuckBlocks) continue
      entry.stuckSince = block.number
      // What waits behind another one is not held up by its price, unless that is below the chain's own.
      const isNext = entry.nonce === mined
      if (isNext || entry.fees.maxFeePerGas < (block.baseFeePerGas ?? 0n)) await replace(entry)
      else if (entry.raw) await broadcast(entry.raw).catch(() => {}) // the node may have dropped it
    }
  }

  async function replace(entry: Open): Promise<void> {
    market = undefined
    const fees = replacementFees(entry.fees, await currentFees(), maxFeePerGas)
    if (!fees) {
      if (entry.raw) await broadcast(entry.raw).catch(() => {})
      return
    }
    const raw = await sign(entry.nonce, entry.call, entry.gasLimit, fees)
    try {
      entry.hashes.push(await broadcast(raw))
      entry.raw = raw
      entry.fees = fees
    } catch (error) {
      // What holds the number pays more than is known here: go on from there.
      const { code } = error as { code?: string }
      if (code === 'REPLACEMENT_UNDERPRICED' || /underpriced|could not replace/i.test(reasonOf(error)))
        entry.fees = fees
    }
  }

  function explain(error: unknown): PeerHostError {
    if (isPeerHostError(error)) return error
    const { code } = error as { code?: string }
    if (code === 'INSUFFICIENT_FUNDS' || /insufficient funds/i.test(reasonOf(error)))
      return new PeerHostError('PH_CHAIN_NO_FUNDS', { address }, { cause: error })
    if (code === 'CALL_EXCEPTION')
      return new PeerHostError('PH_CHAIN_REVERTED', { reason: revertReason(error) }, { cause: error })
    return nodeError(provider, error)
  }

  async function waitFor(entry: Open): Promise<TransactionReceipt> {
    const { call } = entry
    const deadline = Date.now() + timeoutSeconds * 1000
    for (let pause = 4; ; pause = Math.min(pause * 2, pollMs)) {
      const receipt = await minedOf(entry).catch(() => undefined)
      if (receipt) open.delete(entry.nonce)
      if (receipt?.status === 1) return receipt
      if (receipt) {
        const error = await provider
          .call({ from: address, to: call.to, data: call.data, value: call.value, blockTag: receipt.blockNumber })
          .catch((e: unknown) => e)
        throw new PeerHostError('PH_CHAIN_REVERTED', {
          reason: typeof error === 'string' ? 'it ran out of gas or the state changed' : revertReason(error),
        })
      }
      if (Date.now() > deadline) {
        entry.isGivenUp = true
        nextNonce = undefined
        throw new PeerHostError('PH_CHAIN_TIMEOUT', { transaction: entry.hashes.at(-1)!, seconds: timeoutSeconds })
      }
      void unstick()
      await sleep(pause)
    }
  }

  return {
    address,
    async send(call) {
      try {
        let entry = await givenUp(call)
        if (entry) entry.isGivenUp = false
        else {
          const gasLimit = call.gasLimit ?? (await estimate(call))
          const submitted = turn.then(() => submit(call, gasLimit))
          turn = submitted.catch(() => {})
          entry = await submitted
        }
        const sent = entry
        let mined: Promise<TransactionReceipt> | undefined
        return { hash: sent.hashes[0]!, wait: () => (mined ??= waitFor(sent)) }
      } catch (error) {
        throw explain(error)
      }
    },
  }
}
