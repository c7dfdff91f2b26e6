import { type Hex, PeerHostError } from '@peerhost/protocol'
import { type JsonRpcProvider, type TransactionReceipt, Wallet } from 'ethers'
import { hostOf, reasonOf } from './connect-chain.ts'
import { revertReason } from './revert-reason.ts'

export interface TransactionCall {
  to: Hex
  data: Hex
  value?: bigint
  /** Estimated, with a fifth on top, where it is left out. */
  gasLimit?: bigint
}

export interface SentTransaction {
  hash: Hex
  /** Settles when it is mined; throws PH_CHAIN_REVERTED or PH_CHAIN_TIMEOUT. */
  wait(): Promise<TransactionReceipt>
}

export interface TransactionSender {
  /** Lower case. */
  readonly address: Hex
  /** Signs and sends. Throws PH_CHAIN_REVERTED, PH_CHAIN_NO_FUNDS or PH_CHAIN_UNREACHABLE; then nothing was sent. */
  send(call: TransactionCall): Promise<SentTransaction>
}

export interface CreateSenderOptions {
  provider: JsonRpcProvider
  privateKey: string
  /** Milliseconds between two looks for a receipt. */
  pollMs?: number
  /** Seconds until a transaction that is not mined is given up on. */
  timeoutSeconds?: number
}

const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))

/**
 * Sends transactions of one key, numbering them itself, so that many can be under way at once. One sender a key and
 * process: two would take the same nonces.
 */
export function createSender({
  provider,
  privateKey,
  pollMs = 50,
  timeoutSeconds = 120,
}: CreateSenderOptions): TransactionSender {
  let wallet: Wallet
  try {
    wallet = new Wallet(privateKey)
  } catch {
    throw new PeerHostError('PH_CONFIG_KEY_INVALID', {}) // without the cause, which may show the key
  }
  const address = wallet.address.toLowerCase() as Hex
  let nextNonce: number | undefined
  /** Transactions that were sent and whose outcome is not known. */
  let underWay = 0
  let last: Hex | undefined
  let fees: { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint; at: number } | undefined
  let turn: Promise<unknown> = Promise.resolve()

  async function currentFees() {
    if (!fees || Date.now() - fees.at > 5_000) {
      const data = await provider.getFeeData()
      const priority = data.maxPriorityFeePerGas ?? 1_000_000_000n
      fees = {
        maxFeePerGas: (data.maxFeePerGas ?? data.gasPrice ?? priority) + priority,
        maxPriorityFeePerGas: priority,
        at: Date.now(),
      }
    }
    return { maxFeePerGas: fees.maxFeePerGas, maxPriorityFeePerGas: fees.maxPriorityFeePerGas }
  }

  async function estimate({ to, data, value }: TransactionCall): Promise<bigint> {
    const gas = await provider.estimateGas({ from: address, to, data, value })
    return gas + gas / 5n
  }

  /** Takes the next number, signs and hands over to the node; one at a time, so that no number is left out. */
  async function submit(call: TransactionCall, gasLimit: bigint): Promise<Hex> {
    const { to, data, value } = call
    // A re-organisation may have taken back what was mined: the numbers kept here would leave a gap then, for ever.
    if (last && underWay === 0 && !(await provider.getTransactionReceipt(last).catch(() => true))) nextNonce = undefined
    nextNonce ??= await provider.getTransactionCount(address, 'pending')
    const signed = await wallet.signTransaction({
      type: 2,
      chainId: (await provider.getNetwork()).chainId,
      nonce: nextNonce,
      to,
      data,
      value,
      gasLimit,
      ...(await currentFees()),
    })
    try {
      const hash = (await provider.send('eth_sendRawTransaction', [signed])) as Hex
      nextNonce++
      last = hash
      underWay++
      return hash
    } catch (error) {
      nextNonce = undefined // ask the node again: this one may or may not have been taken
      throw error
    }
  }

  function explain(error: unknown): PeerHostError {
    if (error instanceof PeerHostError) return error
    const text = reasonOf(error)
    const { code } = error as { code?: string }
    if (code === 'INSUFFICIENT_FUNDS' || /insufficient funds/i.test(text))
      return new PeerHostError('PH_CHAIN_NO_FUNDS', { address }, { cause: error })
    if (code === 'CALL_EXCEPTION')
      return new PeerHostError('PH_CHAIN_REVERTED', { reason: revertReason(error) }, { cause: error })
    return new PeerHostError(
      'PH_CHAIN_UNREACHABLE',
      { url: hostOf(provider._getConnection().url), detail: text },
      { cause: error },
    )
  }

  async function waitFor(hash: Hex, call: TransactionCall): Promise<TransactionReceipt> {
    const deadline = Date.now() + timeoutSeconds * 1000
    for (let pause = 4; ; pause = Math.min(pause * 2, pollMs)) {
      const receipt = await provider.getTransactionReceipt(hash).catch(() => null)
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
        nextNonce = undefined
        throw new PeerHostError('PH_CHAIN_TIMEOUT', { transaction: hash, seconds: timeoutSeconds })
      }
      await sleep(pause)
    }
  }

  return {
    address,
    async send(call) {
      try {
        const gasLimit = call.gasLimit ?? (await estimate(call))
        const submitted = turn.then(() => submit(call, gasLimit))
        turn = submitted.catch(() => {})
        const hash = await submitted
        let mined: Promise<TransactionReceipt> | undefined
        const wait = () =>
          (mined ??= waitFor(hash, call).finally(() => {
            underWay--
          }))
        return { hash, wait }
      } catch (error) {
        throw explain(error)
      }
    },
  }
}
