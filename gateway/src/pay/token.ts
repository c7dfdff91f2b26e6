import { createLogReader, nodeError, type RawLog, type TransactionSender } from '@peerhost/chain'
import { fromHex, type Hex, isPeerHostError, keccak256, type NetworkInfo, PeerHostError } from '@peerhost/protocol'
import { recover } from '@peerhost/protocol/native'
import type { JsonRpcProvider } from 'ethers'
import { type Authorization, authorizationDigest, transferCall } from './authorization.ts'

export interface CreateTokenOptions {
  provider: JsonRpcProvider
  sender: TransactionSender
  network: NetworkInfo
}

/** What was found out about an authorization on the chain. */
export type ChainState =
  | { used: false }
  /** `isElsewhere`: it was cancelled, or its money went to somebody else. Nothing but `used`: the node does not show why. */
  | { used: true; transaction?: Hex; blockTime?: number; isElsewhere?: true }

/** The USDC contract, as far as payments need it. */
export interface Token {
  /** Throws PH_PAY_INVALID where the payer did not sign this. Asks the chain only for payers that are contracts. */
  checkSignature(authorization: Authorization): Promise<void>
  /** Simulates the transfer; the reason why it would fail, or undefined. */
  whyNot(authorization: Authorization): Promise<string | undefined>
  /** Whether the authorization was used, and by which transaction the money came. */
  stateOf(authorization: Authorization): Promise<ChainState>
  /** Sends the transfer; resolves when it is handed to the node. */
  submit(authorization: Authorization): ReturnType<TransactionSender['send']>
}

const GET_STATE = '0xe94a0102'
const GET_DOMAIN = '0x3644e515'
const GET_BALANCE = '0x70a08231'
const AUTHORIZATION_USED = '0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5'
/** AuthorizationCanceled(address,bytes32) */
const AUTHORIZATION_CANCELED = '0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81'
const TRANSFER = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef'
/** Enough for USDC behind its proxy and a payee that never held any; not estimated, which would cost a round trip. */
const TRANSFER_GAS = 200_000n
/** Of a signature that a contract checks. */
const CONTRACT_WALLET_GAS = 600_000n
/** Blocks looked back for a transfer that somebody else submitted; authorizations live for minutes. */
const LOOK_BACK = 5_000

const pad = (value: string) => value.slice(2).padStart(64, '0')

/** Opens the token and checks that its EIP-712 domain is the expected one: PH_CHAIN_USDC_MISMATCH. */
export async function createToken({ provider, sender, network }: CreateTokenOptions): Promise<Token> {
  const { address, name, version } = network.usdc
  /** Asks the node; what it answers with an error is for the caller, that it does not answer is PH_CHAIN_UNREACHABLE. */
  async function ask<T>(method: string, params: unknown[]): Promise<T> {
    try {
      return (await provider.send(method, params)) as T
    } catch (cause) {
      const { code } = cause as { code?: string }
      if (code === 'CALL_EXCEPTION' || code === 'UNKNOWN_ERROR') throw cause
      throw nodeError(provider, cause)
    }
  }
  const call = (to: Hex, data: string, from?: Hex) =>
    ask<Hex>('eth_call', [{ to, data, ...(from && { from }) }, 'latest'])
  const reader = createLogReader(provider)
  const contracts = new Map<Hex, boolean>()

  const utf8 = new TextEncoder()
  const domainSeparator = keccak256(
    fromHex(
      `0x${[
        keccak256(utf8.encode('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)')),
        keccak256(utf8.encode(name)),
        keccak256(utf8.encode(version)),
        `0x${network.chainId.toString(16)}`,
        address,
      ]
        .map(pad)
        .join('')}`,
    ),
  )
  const actual = await call(address, GET_DOMAIN).catch(() => '0x')
  if (actual !== domainSeparator)
    throw new PeerHostError('PH_CHAIN_USDC_MISMATCH', { address, detail: `its domain is not ${name} ${version}` })

  /** Code appears at an address once and stays: only "no code" is asked again. */
  async function isContract(payer: Hex): Promise<boolean> {
    if (contracts.get(payer)) return true
    const hasCode = (await ask<Hex>('eth_getCode', [payer, 'latest'])) !== '0x'
    if (contracts.size > 10_000) contracts.clear()
    contracts.set(payer, hasCode)
    return hasCode
  }

  const isPlainKey = (authorization: Authorization) =>
    recover(authorizationDigest(domainSeparator, authorization), authorization.signature) === authorization.from
  const dataOf = (authorization: Authorization) => transferCall(authorization, isPlainKey(authorization))

  /** What the token logged of an authorization of late: one event at most. */
  async function usesOf(from: Hex, nonce: Hex): Promise<RawLog[]> {
    const head = Number(await ask<Hex>('eth_blockNumber', []))
    const events: Hex[] = [AUTHORIZATION_USED, AUTHORIZATION_CANCELED]
    const topics = [events, `0x${pad(from)}` as Hex, nonce]
    for await (const { logs } of reader.backwards({ address, topics }, Math.max(0, head - LOOK_BACK), head))
      if (logs.length > 0) return logs
    return []
  }

  const token: Token = {
    async checkSignature(authorization) {
      if (isPlainKey(authorization)) return
      // A contract's signature is judged by the contract, in the simulation of the transfer.
      if (await isContract(authorization.from)) return
      throw new PeerHostError('PH_PAY_INVALID', { reason: 'invalid_exact_evm_signature: its payer did not sign it' })
    },

    async whyNot(authorization) {
      try {
        await call(address, dataOf(authorization), sender.address)
        return undefined
      } catch (error) {
        if (isPeerHostError(error)) throw error
        const state = await token.stateOf(authorization)
        if (state.used) return 'invalid_exact_evm_nonce_already_used: the authorization was used or cancelled'
        const balance = BigInt(await call(address, `${GET_BALANCE}${pad(authorization.from)}`))
        if (balance < authorization.value)
          return 'invalid_exact_evm_insufficient_balance: the payer has not enough USDC'
        const { shortMessage } = error as { shortMessage?: string }
        return `invalid_exact_evm_transaction_simulation_failed: ${(shortMessage ?? 'the token refuses it').slice(0, 100)}`
      }
    },

    async stateOf({ from, to, value, nonce }) {
      const used = BigInt(await call(address, `${GET_STATE}${pad(from)}${pad(nonce)}`)) !== 0n
      if (!used) return { used }
      const found = await usesOf(from, nonce)
      if (found.some(({ topics }) => topics[0] === AUTHORIZATION_CANCELED)) return { used, isElsewhere: true }
      let isElsewhere: true | undefined
      for (const { transactionHash, blockNumber } of found) {
        const receipt = await ask<{ logs: RawLog[] } | null>('eth_getTransactionReceipt', [transactionHash])
        const logs = (receipt?.logs ?? []).filter((log) => log.address.toLowerCase() === address)
        const at = logs.findIndex(
          ({ topics }) => topics[0] === AUTHORIZATION_USED && topics[1] === `0x${pad(from)}` && topics[2] === nonce,
        )
        // The token moves the money right after it marks the authorization: the next transfer is this one's.
        const transfer = logs.slice(at + 1).find(({ topics }) => topics[0] === TRANSFER)
        const isOurs =
          at >= 0 &&
          transfer?.topics[1] === `0x${pad(from)}` &&
          transfer.topics[2] === `0x${pad(to)}` &&
          BigInt(transfer.data) === value
        if (!isOurs) {
          if (receipt) isElsewhere = true
          continue
        }
        const block = await ask<{ timestamp: Hex } | null>('eth_getBlockByNumber', [blockNumber, false])
        return { used, transaction: transactionHash, blockTime: Number(block?.timestamp ?? 0) }
      }
      return { used, isElsewhere }
    },

    submit(authorization) {
      const isPlain = isPlainKey(authorization)
      return sender.send({
        to: address,
        data: transferCall(authorization, isPlain),
        gasLimit: isPlain ? TRANSFER_GAS : CONTRACT_WALLET_GAS,
      })
    },
  }
  return token
}
