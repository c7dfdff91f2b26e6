import { PeerHostError } from '@peerhost/protocol'
import { PeerHostCommands } from './commands/commands.ts'
import { awsVariableSources } from './config/aws-variables.ts'
import { PeerHostProvider, PROVIDER } from './provider.ts'
import { toServerlessError } from './serverless-error.ts'
import type { Serverless, ServerlessOptions, ServerlessUtils } from './serverless-types.ts'

/**
 * The CLIs rewrite `serverless dev` to `serverless --dev`, for a service of Serverless Inc. They read the arguments anew when the
 * plugins are loaded, which is now.
 */
function restoreDevCommand(argv: string[]): void {
  if (argv[2] === '--dev') argv[2] = 'dev'
}

/**
 * `serverless-peerhost`, the entry that `plugins:` names. It brings the provider and its commands; it belongs to no provider
 * itself, so that it is loaded, and can say so, also where `provider` names another.
 */
export default class ServerlessPeerHost {
  readonly configurationVariablesSources: ReturnType<typeof awsVariableSources>

  constructor(serverless: Serverless, options: ServerlessOptions, utils: ServerlessUtils) {
    this.configurationVariablesSources = awsVariableSources(() => serverless.configurationInput)
    const { name } = serverless.service.provider
    if (name !== PROVIDER) {
      throw toServerlessError(serverless, new PeerHostError('PH_CONFIG_PROVIDER_INVALID', { provider: String(name) }))
    }
    restoreDevCommand(process.argv)
    const provider = new PeerHostProvider(serverless, options, utils)
    // plugins that are added by a plugin get no utils of their own
    class Commands extends PeerHostCommands {
      constructor() {
        super(provider)
      }
    }
    serverless.pluginManager.addPlugin(Commands)
  }
}
