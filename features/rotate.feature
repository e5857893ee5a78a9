Feature: Credential rotation
  The client's secret can change. Until the subject has the new one it cannot refresh, and once it has it, its old grants
  may be gone.

  @ROTATE-01 @must @error
  Rule: invalid_client stops the subject

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject stops, within the attempts that it declared (ROTATE-01)

      Examples:
        | story                 | what happens                                                          |
        | client_secret_rotated | The client's secret is rotated, and the subject still has the old one |

  @ROTATE-07 @must @error
  Rule: invalid_grant under a new, correct secret is the end of the grant

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject stops, marks, purges, prompts, logs and recovers (ROTATE-07)

      Examples:
        | story                          | what happens                                                      |
        | secret_rotation_ends_the_grant | The client's secret is rotated, and the grants of the old one end |
