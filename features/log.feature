Feature: Logging
  Refresh failures, the detection of expiry or revocation and the reauthentication trigger are logged, so that somebody
  can find out afterwards what happened.

  @LOG-01 @should @error
  Rule: A refresh failure is logged with its reason

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the log tells of the failed refresh, and why it failed (LOG-01)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @LOG-02 @should @error
  Rule: The detection is logged

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the log tells that expiry or revocation was detected (LOG-02)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @LOG-03 @should @error
  Rule: The reauthentication trigger is logged

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the log tells that the user has to reauthenticate (LOG-03)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |
