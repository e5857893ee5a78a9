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

  @ROTATE-02 @must @error
  Rule: Refused credentials are shown

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the status says that the connection does not work (ROTATE-02)

      Examples:
        | story                 | what happens                                                          |
        | client_secret_rotated | The client's secret is rotated, and the subject still has the old one |

  @ROTATE-03 @should @error
  Rule: Refused credentials are logged as what they are

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the log says that the credentials of the client were refused (ROTATE-03)

      Examples:
        | story                 | what happens                                                          |
        | client_secret_rotated | The client's secret is rotated, and the subject still has the old one |

  @ROTATE-04 @must @error
  Rule: The new secret brings everything back

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject works again once it has the new secret (ROTATE-04)

      Examples:
        | story                 | what happens                                                          |
        | client_secret_rotated | The client's secret is rotated, and the subject still has the old one |

  @ROTATE-05 @should @warning
  Rule: Any legal secret can be understood

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the provider understands the secret that the subject sends (ROTATE-05)

      Examples:
        | story                              | what happens                                                 |
        | client_secret_with_every_character | The client's new secret has every character that it may have |

  @ROTATE-06 @should @warning
  Rule: An overlap is there so that nothing stops

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the work goes on under the old secret, the new one and after (ROTATE-06)

      Examples:
        | story                              | what happens                                                              |
        | client_secret_rotated_with_overlap | The client's secret is rotated, and for a while the old one works as well |

  @ROTATE-07 @must @error
  Rule: invalid_grant under a new, correct secret is the end of the grant

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject stops, marks, purges, prompts, logs and recovers (ROTATE-07)

      Examples:
        | story                          | what happens                                                      |
        | secret_rotation_ends_the_grant | The client's secret is rotated, and the grants of the old one end |
