import {
  type ContractAddresses,
  executionCoordinatorAbi,
  type Hex,
  NETWORKS,
  type NetworkName,
  PeerHostError,
  paymentVaultAbi,
  stakeVaultAbi,
} from '@peerhost/protocol'
import {
  ContractFactory,
  getCreateAddress,
  type InterfaceAbi,
  JsonRpcApiProvider,
  type Provider,
  type Signer,
  ZeroAddress,
} from 'ethers'
import { readArtifacts } from './artifacts.ts'
import { toChainError } from './chain-error.ts'
import { checkUsdc } from './check-usdc.ts'
import { type DeploymentParameters, PARAMETERS } from './parameters.ts'

export interface DeployContractsOptions {
  /** Pays for the deployment and keeps no power over it. Must be connected to a provider. */
  signer: Signer
  network: NetworkName
  /** By default the network's. */
  usdc?: string
  /** Changes to the network's parameters. */
  parameters?: Partial<DeploymentParameters>
  /** The dispute court; by default none, so that nothing can be slashed, jailed or voided. */
  court?: string
}

export interface DeployContractsResult {
  addresses: ContractAddresses
  usdc: Hex
  /** Block of the first of the transactions: where a mirror starts to read. */
  deploymentBlock: number
  transactions: Hex[]
  parameters: DeploymentParameters
}

const ABIS = {
  ExecutionCoordinator: executionCoordinatorAbi,
  StakeVault: stakeVaultAbi,
  PaymentVault: paymentVaultAbi,
} as const

/**
 * Deploys the contracts in three transactions: StakeVault, PaymentVault, ExecutionCoordinator. The vaults get the
 * coordinator's address beforehand, computed from the signer's nonce; its constructor then checks that all of them name
 * each other. The same signer at the same nonce gives the same addresses on every chain.
 *
 * @throws PH_CHAIN_WRONG_NETWORK, PH_CHAIN_CONTRACT_MISSING and PH_CHAIN_USDC_MISMATCH (checkUsdc), PH_CHAIN_NO_FUNDS,
 * PH_CHAIN_REVERTED, PH_CHAIN_UNREACHABLE
 */
export async function deployContracts(options: DeployContractsOptions): Promise<DeployContractsResult> {
  const { signer, network } = options
  const { provider } = signer
  if (!provider) throw new TypeError('deployContracts: the signer has no provider')
  const deployer = await signer.getAddress()
  try {
    const { chainId } = await provider.getNetwork()
    if (Number(chainId) !== NETWORKS[network].chainId) {
      const words = { url: 'PEERHOST_RPC_URL', actual: String(chainId), expected: String(NETWORKS[network].chainId) }
      throw new PeerHostError('PH_CHAIN_WRONG_NETWORK', words)
    }
    const usdc = (await checkUsdc(provider, options.usdc ?? NETWORKS[network].usdc.address, NETWORKS[network].usdc))
      .address
    const parameters = { ...PARAMETERS[network], ...options.parameters }
    const nonce = await nextNonce(provider, deployer)
    return await deployAll({ signer, deployer, nonce, usdc, parameters, court: options.court ?? ZeroAddress })
  } catch (error) {
    throw toChainError(error, { address: deployer })
  }
}

/** Past ethers' cache of a quarter of a second: the signer may just have sent something. */
async function nextNonce(provider: Provider, address: string): Promise<number> {
  if (!(provider instanceof JsonRpcApiProvider)) return provider.getTransactionCount(address, 'pending')
  return Number(await provider.send('eth_getTransactionCount', [address, 'pending']))
}

interface DeployAllOptions {
  signer: Signer
  deployer: string
  nonce: number
  usdc: Hex
  parameters: DeploymentParameters
  court: string
}

async function deployAll({
  signer,
  deployer,
  nonce,
  usdc,
  parameters,
  court,
}: DeployAllOptions): Promise<DeployContractsResult> {
  const coordinator = getCreateAddress({ from: deployer, nonce: nonce + 2 })
  const transactions: Hex[] = []
  const blocks: number[] = []

  /** Deploys one contract and makes sure that it lies where the others expect it. */
  const create = async (contract: keyof typeof ABIS, args: unknown[]): Promise<Hex> => {
    const position = transactions.length
    const factory = new ContractFactory(
      ABIS[contract] as InterfaceAbi,
      readArtifacts().contracts[contract].bytecode,
      signer,
    )
    const transaction = (await factory.deploy(...args, { nonce: nonce + position })).deploymentTransaction()!
    const receipt = await transaction.wait()
    const address = receipt?.contractAddress
    if (address !== getCreateAddress({ from: deployer, nonce: nonce + position })) {
      throw new PeerHostError('PH_CHAIN_REVERTED', { reason: `${contract} was not created where it was expected` })
    }
    transactions.push(transaction.hash as Hex)
    blocks.push(receipt!.blockNumber)
    return address as Hex
  }

  const { anchorBy, ...stake } = parameters
  const StakeVault = await create('StakeVault', [usdc, coordinator, court, stake])
  const PaymentVault = await create('PaymentVault', [usdc, coordinator, StakeVault, court])
  const ExecutionCoordinator = await create('ExecutionCoordinator', [StakeVault, PaymentVault, court, anchorBy])
  return {
    addresses: { ExecutionCoordinator, StakeVault, PaymentVault },
    usdc,
    deploymentBlock: blocks[0]!,
    transactions,
    parameters,
  }
}
