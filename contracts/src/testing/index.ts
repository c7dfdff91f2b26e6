import { type Hex, NETWORKS, testUsdcAbi } from '@peerhost/protocol'
import { Contract, JsonRpcProvider, Network, NonceManager, toBeHex, Wallet } from 'ethers'
import { type DeployContractsResult, deployContracts } from '../deploy-contracts.ts'
import { type LocalChain, startLocalChain } from '../local-chain.ts'
import type { DeploymentParameters } from '../parameters.ts'
import { placeTestUsdc } from '../place-test-usdc.ts'

/** A real chain with PeerHost's contracts, for tests. */
export interface TestChain {
  chain: LocalChain
  rpcUrl: string
  provider: JsonRpcProvider
  deployment: DeployContractsResult
  contracts: DeployContractsResult['addresses']
  usdc: Hex
  /** A fresh key with coin for gas and, if asked for, atomic USDC. */
  account(usdc?: bigint): Promise<{ address: Hex; privateKey: Hex; signer: NonceManager }>
  stop(): Promise<void>
}

/** Account 0 of anvil's well-known phrase. */
const DEPLOYER = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'

/** Starts anvil, places the test USDC and deploys the contracts with the local network's parameters. */
export async function startTestChain(
  options: { parameters?: Partial<DeploymentParameters>; blockTime?: number } = {},
): Promise<TestChain> {
  const chain = await startLocalChain({ blockTime: options.blockTime })
  const network = Network.from(NETWORKS.local.chainId)
  const provider = new JsonRpcProvider(chain.rpcUrl, network, {
    staticNetwork: network,
    batchMaxCount: 1,
    cacheTimeout: -1,
  })
  provider.pollingInterval = 20
  await placeTestUsdc(provider)
  const deployer = new NonceManager(new Wallet(DEPLOYER, provider))
  const deployment = await deployContracts({ signer: deployer, network: 'local', parameters: options.parameters })
  return {
    chain,
    rpcUrl: chain.rpcUrl,
    provider,
    deployment,
    contracts: deployment.addresses,
    usdc: deployment.usdc,
    async account(usdc = 0n) {
      const wallet = Wallet.createRandom()
      await provider.send('anvil_setBalance', [wallet.address, toBeHex(10n ** 20n)])
      const signer = new NonceManager(new Wallet(wallet.privateKey, provider))
      if (usdc > 0n) await (await new Contract(deployment.usdc, testUsdcAbi, signer).mint!(wallet.address, usdc)).wait()
      return { address: wallet.address.toLowerCase() as Hex, privateKey: wallet.privateKey as Hex, signer }
    },
    async stop() {
      provider.destroy()
      await chain.stop()
    },
  }
}
