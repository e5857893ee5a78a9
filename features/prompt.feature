Feature: Prompting the user
  Only the user can restore access. The way back must be there when it is needed, be explicit, and not be there when a
  refresh would still do.

  @PROMPT-01 @must @error
  Rule: The user is required to reauthenticate

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then what the user sees leads to the authorise endpoint (PROMPT-01)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @PROMPT-02 @should @error
  Rule: The prompt is explicit

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the user is told that access must be restored (PROMPT-02)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @PROMPT-03 @must @error
  Rule: There is no prompt while a refresh would still work

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the user is not asked to reauthenticate (PROMPT-03)

      Examples:
        | story                             | what happens                                               |
        | proxy_answers_with_html           | A proxy answers in place of the token endpoint for a while |
        | token_endpoint_drops_connections  | The token endpoint drops connections for a while           |
        | token_endpoint_resets_connections | The token endpoint resets connections for a while          |
        | token_endpoint_unavailable        | The token endpoint is unavailable for a while              |
        | too_many_refreshes                | Too many refreshes, says the token endpoint for a while    |

  @PROMPT-04 @should @warning
  Rule: The user is told once per outage

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the user is told once in each outage (PROMPT-04)

      Examples:
        | story             | what happens                             |
        | access_lost_twice | Access is lost, restored, and lost again |

  @PROMPT-05 @must @error
  Rule: Nobody is asked once access is restored

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the prompt is gone after the reconnection (PROMPT-05)

      Examples:
        | story               | what happens                             |
        | access_lost_twice   | Access is lost, restored, and lost again |
        | user_revokes_access | The user revokes access                  |
