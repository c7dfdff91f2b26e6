import { readFileSync } from 'node:fs'
import { paymentVaultAbi } from '@peerhost/protocol'
import { Contract, JsonRpcProvider, Wallet } from 'ethers'

/** What the demo reads of network.json. */
export interface DemoNetwork {
  gatewayUrl: string
  rpcUrl: string
  chainId: number
  usdc: string
  contracts: Record<string, string>
  pids: { workers: Record<string, number> }
  accounts: Record<'developer' | 'payer', { address: string; privateKey: string }>
}

/** Balances before a payment, in atomic USDC. */
interface Balances {
  account: string
  ofPayer: bigint
  ofAccount: bigint
}

/** How the contract divides an account's intake, in atomic USDC. */
export interface Shares {
  toOwner: bigint
  toGateway: bigint
  toPot: bigint
  toPool: bigint
}

/** Reads the chain for the demo: balances around a payment, and the split after it. */
export function ledger({ rpcUrl, usdc, contracts, accounts }: DemoNetwork) {
  const provider = new JsonRpcProvider(rpcUrl, undefined, { cacheTimeout: -1 })
  const token = new Contract(usdc, ['function balanceOf(address) view returns (uint256)'], provider)
  const vault = new Contract(contracts.PaymentVault!, paymentVaultAbi, new Wallet(accounts.payer.privateKey, provider))
  const balanceOf = (address: string): Promise<bigint> => token.getFunction('balanceOf')(address)

  return {
    async before(account: string): Promise<Balances> {
      return { account, ofPayer: await balanceOf(accounts.payer.address), ofAccount: await balanceOf(account) }
    },
    async paid({ account, ofPayer, ofAccount }: Balances): Promise<{ payerChange: bigint; intake: bigint }> {
      return {
        payerChange: (await balanceOf(accounts.payer.address)) - ofPayer,
        intake: (await balanceOf(account)) - ofAccount,
      }
    },
    /** Sweeps the account and returns what the event says of the split. */
    async swept(gateway: string, owner: string): Promise<Shares> {
      const transaction = await vault.getFunction('sweep')(gateway, owner)
      const { logs } = await transaction.wait()
      for (const log of logs) {
        const event = log.address === contracts.PaymentVault ? vault.interface.parseLog(log) : null
        if (event?.name === 'Swept') return event.args.toObject() as Shares
      }
      throw new Error('the sweep left no Swept event')
    },
    /** Who answered and for how much, from a receipt saved by `peerhost call --save`. */
    receipt(file: string): { gateway: string; worker: string; price: bigint } {
      const { assignment, receipt } = JSON.parse(readFileSync(file, 'utf8'))
      return { gateway: assignment.gateway, worker: receipt.worker, price: BigInt(receipt.price) }
    },
  }
}
