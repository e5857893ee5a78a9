Feature: Keeping secrets
  Tokens, the client's secret and the code verifier belong into no log and into no address.

  @SECRET-01 @must @error
  Rule: Secrets are not logged, in any encoding

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the logs hold no token, no client secret and no code verifier (SECRET-01)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @SECRET-02 @must @error
  Rule: Secrets travel in no URL

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no URL and no Referer holds a token, a client secret or a code verifier (SECRET-02)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |
