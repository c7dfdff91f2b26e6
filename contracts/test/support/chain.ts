import { fileURLToPath } from 'node:url'
import {
  BrowserProvider,
  type ContractTransactionResponse,
  type Eip1193Provider,
  type JsonRpcSigner,
  type TransactionReceipt,
} from 'ethers'

/** A chain inside this process, with the local network's id, Prague's rules and a clock that starts in 2030. */
export interface TestChain {
  provider: BrowserProvider
  /** Funded and unlocked. */
  signers: JsonRpcSigner[]
  /** Lets seconds pass. */
  pass(seconds: number): Promise<void>
  close(): Promise<void>
}

/** Starts it; nothing is compiled. */
export async function openChain(): Promise<TestChain> {
  const { hre } = await runtime()
  const connection = await hre.network.create()
  const provider = new BrowserProvider(connection.provider as unknown as Eip1193Provider, 84532, {
    cacheTimeout: -1,
    pollingInterval: 5,
  })
  return {
    provider,
    signers: await provider.listAccounts(),
    async pass(seconds) {
      await provider.send('evm_increaseTime', [seconds])
      await provider.send('evm_mine', [])
    },
    async close() {
      provider.destroy()
      await connection.close()
    },
  }
}

/** Compiles the contracts with their tests and returns the one asked for. */
export async function compile(contract: string): Promise<{ abi: never[]; bytecode: string }> {
  const { hre } = await runtime()
  await hre.tasks.getTask('build').run({ quiet: true, noTests: false })
  return (await hre.artifacts.readArtifact(contract)) as unknown as { abi: never[]; bytecode: string }
}

async function runtime() {
  const { createHardhatRuntimeEnvironment } = await import('hardhat/hre')
  const { default: config } = await import('../../../hardhat.config.ts')
  const root = fileURLToPath(new URL('../../../', import.meta.url))
  return { hre: await createHardhatRuntimeEnvironment(config, {}, root) }
}

/** Waits for a transaction and returns its receipt. */
export async function mined(sent: Promise<ContractTransactionResponse>): Promise<TransactionReceipt> {
  const receipt = await (await sent).wait()
  if (!receipt) throw new Error('the transaction has no receipt')
  return receipt
}
